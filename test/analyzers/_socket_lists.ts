/** What `ss` 6.1 and netstat 2.10 printed of one host, one after the other, with their options: a socket of UDP and a connection that nobody reads. */

/** `ss -tulpn` */
export const SS_TULPN = `Netid State  Recv-Q   Send-Q Local Address:Port  Peer Address:PortProcess
udp   UNCONN 36864000 0          127.0.0.1:40514      0.0.0.0:*    users:(("python3",pid=26830,fd=3))
udp   UNCONN 0        0            0.0.0.0:58632      0.0.0.0:*    users:(("python3",pid=26830,fd=4))
tcp   LISTEN 0        128          0.0.0.0:2024       0.0.0.0:*
tcp   LISTEN 0        5          127.0.0.1:40080      0.0.0.0:*    users:(("python3",pid=26830,fd=5))
`;

/** `ss -uanp` */
export const SS_UANP = `State  Recv-Q   Send-Q Local Address:Port  Peer Address:PortProcess
UNCONN 36864000 0          127.0.0.1:40514      0.0.0.0:*    users:(("python3",pid=26830,fd=3))
UNCONN 0        0            0.0.0.0:58632      0.0.0.0:*    users:(("python3",pid=26830,fd=4))
`;

/** `ss -tanp` */
export const SS_TANP = `State      Recv-Q   Send-Q   Local Address:Port  Peer Address:Port Process
LISTEN     0        128            0.0.0.0:2024       0.0.0.0:*
LISTEN     0        5            127.0.0.1:40080      0.0.0.0:*     users:(("python3",pid=26830,fd=5))
ESTAB      66838464 0            127.0.0.1:40080    127.0.0.1:41850 users:(("python3",pid=26830,fd=7))
CLOSE-WAIT 5001     0            127.0.0.1:40080    127.0.0.1:41856 users:(("python3",pid=26830,fd=9))
ESTAB      0        16137295     127.0.0.1:41850    127.0.0.1:40080 users:(("python3",pid=26830,fd=6))
FIN-WAIT-2 0        0            127.0.0.1:41856    127.0.0.1:40080
TIME-WAIT  0        0            127.0.0.1:41862    127.0.0.1:40080
`;

/** `ss -tn` */
export const SS_TN = `State      Recv-Q   Send-Q   Local Address:Port  Peer Address:Port Process
ESTAB      66838464 0            127.0.0.1:40080    127.0.0.1:41850
CLOSE-WAIT 5001     0            127.0.0.1:40080    127.0.0.1:41856
ESTAB      0        16137295     127.0.0.1:41850    127.0.0.1:40080
FIN-WAIT-2 0        0            127.0.0.1:41856    127.0.0.1:40080
`;

/** `ss -tnm` */
export const SS_TNM = `State      Recv-Q   Send-Q   Local Address:Port  Peer Address:Port Process
ESTAB      66838464 0            127.0.0.1:40080    127.0.0.1:41850
\t skmem:(r67025664,rb67108864,t0,tb3939840,f1280,w0,o0,bl0,d4)
CLOSE-WAIT 5001     0            127.0.0.1:40080    127.0.0.1:41856
\t skmem:(r5832,rb67108864,t0,tb3939840,f2360,w0,o0,bl0,d0)
ESTAB      0        16137295     127.0.0.1:41850    127.0.0.1:40080
\t skmem:(r0,rb131072,t0,tb67108864,f1073,w16341967,o0,bl0,d0)
FIN-WAIT-2 0        0            127.0.0.1:41856    127.0.0.1:40080
\t
`;

/** `ss -tanpe` */
export const SS_TANPE = `State      Recv-Q   Send-Q   Local Address:Port  Peer Address:Port Process
LISTEN     0        128            0.0.0.0:2024       0.0.0.0:*     ino:1542 sk:20 cgroup:/ <->
LISTEN     0        5            127.0.0.1:40080      0.0.0.0:*     users:(("python3",pid=26830,fd=5)) ino:24576690 sk:13a181 cgroup:/ <->
ESTAB      66838464 0            127.0.0.1:40080    127.0.0.1:41850 users:(("python3",pid=26830,fd=7)) ino:24576692 sk:13a182 cgroup:/ <->
CLOSE-WAIT 5001     0            127.0.0.1:40080    127.0.0.1:41856 users:(("python3",pid=26830,fd=9)) ino:24576701 sk:13a183 cgroup:/ -->
ESTAB      0        16137295     127.0.0.1:41850    127.0.0.1:40080 users:(("python3",pid=26830,fd=6)) timer:(persist,2.760ms,0) ino:24576691 sk:13a184 cgroup:/ <->
FIN-WAIT-2 0        0            127.0.0.1:41856    127.0.0.1:40080 timer:(timewait,54sec,0) ino:0 sk:13a185
TIME-WAIT  0        0            127.0.0.1:41862    127.0.0.1:40080 timer:(timewait,54sec,0) ino:0 sk:13a186
`;

/** `ss -uanme` */
export const SS_UANME = `State  Recv-Q   Send-Q Local Address:Port  Peer Address:PortProcess
UNCONN 36864000 0          127.0.0.1:40514      0.0.0.0:*    ino:24576688 sk:13a17f cgroup:/ <->
\t skmem:(r36864000,rb50331648,t0,tb212992,f0,w0,o0,bl0,d0)
UNCONN 0        0            0.0.0.0:58632      0.0.0.0:*    ino:24576689 sk:13a180 cgroup:/ <->
\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)
`;

/** `ss -tn state established` */
export const SS_ESTABLISHED = `Recv-Q   Send-Q   Local Address:Port  Peer Address:Port Process
66838464 0            127.0.0.1:40080    127.0.0.1:41850
0        16137295     127.0.0.1:41850    127.0.0.1:40080
`;

/** `ss -xp` */
export const SS_XP = `Netid State Recv-Q Send-Q Local Address:Port     Peer Address:Port    Process
u_str ESTAB 0      0                  * 1538                * 1539
u_str ESTAB 0      214016             * 24576706            * 24576707 users:(("python3",pid=26830,fd=8))
u_str ESTAB 176000 0                  * 24576707            * 24576706 users:(("python3",pid=26830,fd=11))
u_str ESTAB 0      0                  * 1539                * 1538
`;

/** `netstat -tulpn` */
export const NETSTAT_TULPN = `Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      -
tcp        0      0 127.0.0.1:40080         0.0.0.0:*               LISTEN      26830/python3
udp   36864000      0 127.0.0.1:40514         0.0.0.0:*                           26830/python3
udp        0      0 0.0.0.0:58632           0.0.0.0:*                           26830/python3
`;

/** `netstat -tnap` */
export const NETSTAT_TNAP = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      -
tcp        0      0 127.0.0.1:40080         0.0.0.0:*               LISTEN      26830/python3
tcp   66838464      0 127.0.0.1:40080         127.0.0.1:41850         ESTABLISHED 26830/python3
tcp     5001      0 127.0.0.1:40080         127.0.0.1:41856         CLOSE_WAIT  26830/python3
tcp        0 16137295 127.0.0.1:41850         127.0.0.1:40080         ESTABLISHED 26830/python3
tcp        0      0 127.0.0.1:41856         127.0.0.1:40080         FIN_WAIT2   -
tcp        0      0 127.0.0.1:41862         127.0.0.1:40080         TIME_WAIT   -
`;

/** `netstat -uanpe` */
export const NETSTAT_UANPE = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name
udp   36864000      0 127.0.0.1:40514         0.0.0.0:*                           0          24576688   26830/python3
udp        0      0 0.0.0.0:58632           0.0.0.0:*                           0          24576689   26830/python3
`;
