/** What `ss` 6.1 and netstat 2.10 printed while test/lab's tcp_backlog was held on Linux 6.18: two connections of each. */

/** side=recv, `ss -tnap`. */
export const RECV_SS = `State  Recv-Q   Send-Q Local Address:Port  Peer Address:Port Process
LISTEN 0        128          0.0.0.0:2024       0.0.0.0:*
LISTEN 0        12         127.0.0.1:56229      0.0.0.0:*     users:(("tcp_reader",pid=27680,fd=3))
ESTAB  16118358 0          127.0.0.1:56229    127.0.0.1:52034 users:(("tcp_reader",pid=27680,fd=5))
ESTAB  15987339 0          127.0.0.1:56229    127.0.0.1:52068 users:(("tcp_reader",pid=27680,fd=13))
ESTAB  0        131019     127.0.0.1:52034    127.0.0.1:56229 users:(("tcp_writer",pid=27681,fd=4))
ESTAB  0        131019     127.0.0.1:52068    127.0.0.1:56229 users:(("tcp_writer",pid=27681,fd=12))
`;

/** side=send, `ss -tmnp`. */
export const SEND_SS_MEMORY = `State Recv-Q Send-Q  Local Address:Port  Peer Address:Port Process
ESTAB 2048   0           127.0.0.1:50871    127.0.0.1:59566 users:(("tcp_reader",pid=27754,fd=4))
\t skmem:(r3712,rb4096,t0,tb3939840,f384,w0,o0,bl0,d4)
ESTAB 0      7234560     127.0.0.1:59566    127.0.0.1:50871 users:(("tcp_writer",pid=27755,fd=3))
\t skmem:(r0,rb131072,t0,tb13107200,f2816,w13108480,o0,bl0,d0)
ESTAB 0      7234560     127.0.0.1:59642    127.0.0.1:50871 users:(("tcp_writer",pid=27755,fd=12))
\t skmem:(r0,rb131072,t0,tb13107200,f2816,w13108480,o0,bl0,d0)
ESTAB 2048   0           127.0.0.1:50871    127.0.0.1:59642 users:(("tcp_reader",pid=27754,fd=13))
\t skmem:(r3712,rb4096,t0,tb3939840,f384,w0,o0,bl0,d4)
`;

/** side=send, `ss -tanpo`. */
export const SEND_SS_TIMERS = `State  Recv-Q Send-Q  Local Address:Port  Peer Address:Port Process
LISTEN 0      128           0.0.0.0:2024       0.0.0.0:*
LISTEN 0      12          127.0.0.1:50871      0.0.0.0:*     users:(("tcp_reader",pid=27754,fd=3))
ESTAB  2048   0           127.0.0.1:50871    127.0.0.1:59566 users:(("tcp_reader",pid=27754,fd=4))
ESTAB  0      7234560     127.0.0.1:59566    127.0.0.1:50871 users:(("tcp_writer",pid=27755,fd=3)) timer:(persist,3.064ms,0)
ESTAB  0      7234560     127.0.0.1:59642    127.0.0.1:50871 users:(("tcp_writer",pid=27755,fd=12)) timer:(persist,3.096ms,0)
ESTAB  2048   0           127.0.0.1:50871    127.0.0.1:59642 users:(("tcp_reader",pid=27754,fd=13))
`;

/** side=send, `netstat -anpt`. */
export const SEND_NETSTAT = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      -
tcp        0      0 127.0.0.1:50871         0.0.0.0:*               LISTEN      27754/./tcp_backlog
tcp     2048      0 127.0.0.1:50871         127.0.0.1:59566         ESTABLISHED 27754/./tcp_backlog
tcp        0 7234560 127.0.0.1:59566         127.0.0.1:50871         ESTABLISHED 27755/./tcp_backlog
tcp        0 7234560 127.0.0.1:59642         127.0.0.1:50871         ESTABLISHED 27755/./tcp_backlog
tcp     2048      0 127.0.0.1:50871         127.0.0.1:59642         ESTABLISHED 27754/./tcp_backlog
`;

/** side=send, `netstat -W -neopa`. */
export const SEND_NETSTAT_TIMERS = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      0          1542       -                    off (0.00/0/0)
tcp        0      0 127.0.0.1:50871         0.0.0.0:*               LISTEN      0          21118010   27754/./tcp_backlog  off (0.00/0/0)
tcp     2048      0 127.0.0.1:50871         127.0.0.1:59566         ESTABLISHED 0          21117466   27754/./tcp_backlog  off (0.00/0/0)
tcp        0 7234560 127.0.0.1:59566         127.0.0.1:50871         ESTABLISHED 0          21117467   27755/./tcp_backlog  probe (3.04/0/0)
tcp        0 7234560 127.0.0.1:59642         127.0.0.1:50871         ESTABLISHED 0          21117483   27755/./tcp_backlog  probe (3.07/0/0)
tcp     2048      0 127.0.0.1:50871         127.0.0.1:59642         ESTABLISHED 0          21117482   27754/./tcp_backlog  off (0.00/0/0)
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  3      [ ]         STREAM     CONNECTED     6492970  18604/dbus-daemon
`;

/** side=close-wait, `netstat -anp`. */
export const CLOSED_NETSTAT = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:2024            0.0.0.0:*               LISTEN      -
tcp        0      0 127.0.0.1:49875         0.0.0.0:*               LISTEN      27949/./tcp_backlog
tcp   13171942      0 127.0.0.1:49875         127.0.0.1:40284         CLOSE_WAIT  27949/./tcp_backlog
tcp   13171942      0 127.0.0.1:49875         127.0.0.1:40230         CLOSE_WAIT  27949/./tcp_backlog
tcp        0      0 127.0.0.1:40230         127.0.0.1:49875         FIN_WAIT2   -
tcp        0      0 127.0.0.1:40284         127.0.0.1:49875         FIN_WAIT2   -
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  3      [ ]         STREAM     CONNECTED     6492970  18604/dbus-daemon
`;

/** side=accept, `ss -tnap`. */
export const ACCEPT_SS = `State  Recv-Q   Send-Q Local Address:Port  Peer Address:Port Process
LISTEN 8        8          127.0.0.1:35689      0.0.0.0:*     users:(("tcp_reader",pid=27967,fd=3))
LISTEN 0        128          0.0.0.0:2024       0.0.0.0:*
ESTAB  15331926 0          127.0.0.1:35689    127.0.0.1:54868
ESTAB  15200907 0          127.0.0.1:35689    127.0.0.1:54838
ESTAB  0        131019     127.0.0.1:54838    127.0.0.1:35689 users:(("tcp_writer",pid=27968,fd=7))
ESTAB  0        131019     127.0.0.1:54868    127.0.0.1:35689 users:(("tcp_writer",pid=27968,fd=9))
`;

/** side=recv slow=256, a reader that keeps up though its queues are nearly full: `ss -tmnap`. */
export const SLOW_SS = `State     Recv-Q  Send-Q Local Address:Port  Peer Address:Port Process
LISTEN    0       12         127.0.0.1:43455      0.0.0.0:*     users:(("tcp_reader",pid=28044,fd=3))
\t skmem:(r0,rb13107200,t0,tb16384,f0,w0,o0,bl0,d0)
LISTEN    0       128          0.0.0.0:2024       0.0.0.0:*
\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)
ESTAB     9696095 0          127.0.0.1:43455    127.0.0.1:51186 users:(("tcp_reader",pid=28044,fd=16))
\t skmem:(r9886451,rb13107200,t0,tb3939840,f1293,w0,o0,bl0,d13)
ESTAB     0       0          127.0.0.1:51092    127.0.0.1:43455 users:(("tcp_writer",pid=28045,fd=5))
\t skmem:(r0,rb131072,t0,tb131072,f0,w0,o0,bl0,d0)
ESTAB     0       0          127.0.0.1:51186    127.0.0.1:43455 users:(("tcp_writer",pid=28045,fd=15))
\t skmem:(r0,rb131072,t0,tb131072,f0,w0,o0,bl0,d0)
ESTAB     9696095 0          127.0.0.1:43455    127.0.0.1:51092 users:(("tcp_reader",pid=28044,fd=6))
\t skmem:(r9886451,rb13107200,t0,tb3939840,f1293,w0,o0,bl0,d13)
`;

/** read=1, a reader that is quick, `netstat -anpt`: two of the fullest. */
export const READ_NETSTAT = `Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 127.0.0.1:36669         0.0.0.0:*               LISTEN      27985/./tcp_backlog
tcp    65536      0 127.0.0.1:36669         127.0.0.1:48178         ESTABLISHED 27985/./tcp_backlog
tcp    65536      0 127.0.0.1:36669         127.0.0.1:48150         ESTABLISHED 27985/./tcp_backlog
`;
