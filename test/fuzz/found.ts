/** Inputs that fuzzing found, each with what went wrong then. */
export const found: readonly { readonly parser: string; readonly why: string; readonly text: string }[] = [
  { parser: "parseBpfPrograms", why: "an id that is Infinity", text: '[{"id":3,"map_ids":[1e30928,29]}]' },
  {
    parser: "parsePs",
    why: "bytes above 2^53",
    text: "  PID   RSS STAT COMMAND\n    7  8796093031024 Ss   sshd -D\n",
  },
];
