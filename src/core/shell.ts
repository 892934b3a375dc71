/** A word for a shell command that a person will paste: names in a bundle are hostile. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Commands that make a setting (`vm.swappiness=10`) now, and after the next boot. */
export function setSysctl(setting: string): string[] {
  const [name] = setting.split("=");
  return [`sysctl -w ${shellWord(setting)}`, `echo ${shellWord(setting)} > /etc/sysctl.d/90-${name}.conf`];
}

/** Commands that write to a file of /sys now, and after the next boot (systemd-tmpfiles). */
export function setSysfs(path: string, value: string): string[] {
  const name = path.split("/").at(-1);
  return [
    `echo ${value} > ${path}`,
    `echo ${shellWord(`w ${path} - - - - ${value}`)} > /etc/tmpfiles.d/90-${name}.conf`,
  ];
}

/** What a command begins with that is to run in a network namespace; `net-INODE` has no name on the host, and undefined is the initial one. */
export function inNetns(namespace: string | undefined): string {
  if (namespace === undefined) return "";
  const inode = /^net-(\d+)$/.exec(namespace)?.[1];
  return inode === undefined
    ? `ip netns exec ${shellWord(namespace)} `
    : `nsenter --net=/proc/$(lsns -nro PID ${inode} | head -n 1)/ns/net `;
}
