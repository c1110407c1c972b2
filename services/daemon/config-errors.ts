import { defineErrors } from '../../kit/errors.ts';

/** What can be wrong with the flags, the configuration file and the roots: one line each that says what to do. */
export const errors = defineErrors('daemon', {
  bridgeAndBip: {
    code: 'INVALID_ARGUMENT',
    message: () => 'You specified -b & --bip, mutually exclusive options. Please specify only one.',
  },
  iccWithoutIptables: {
    code: 'INVALID_ARGUMENT',
    message: () =>
      'You specified --iptables=false with --icc=false. ICC uses iptables to function. Please set --icc or --iptables to true.',
  },
  badFlag: {
    code: 'INVALID_ARGUMENT',
    message: (m: { flag: string; value: string; wanted: string }) => `--${m.flag}: "${m.value}" is not ${m.wanted}`,
  },
  badRemap: { code: 'INVALID_ARGUMENT', message: (m: { problem: string }) => m.problem },
  badLogging: {
    code: 'INVALID_ARGUMENT',
    message: (m: { problem: string }) => `failed to set log opts: ${m.problem}`,
  },
  unknownKey: {
    code: 'INVALID_ARGUMENT',
    message: (m: { file: string; key: string }) => `${m.file}: "${m.key}" is not a key of the configuration`,
  },
  keyGivenTwice: {
    code: 'INVALID_ARGUMENT',
    message: (m: { file: string; key: string }) =>
      `"${m.key}" is given both as a flag and in ${m.file}: remove one of them`,
  },
  fileUnreadable: {
    code: 'INVALID_ARGUMENT',
    message: (m: { file: string; why: string }) => `cannot read the configuration file ${m.file}: ${m.why}`,
  },
  fileMalformed: {
    code: 'INVALID_ARGUMENT',
    message: (m: { file: string; why: string }) => `the configuration file ${m.file} is not valid JSON: ${m.why}`,
  },
  wrongKind: {
    code: 'INVALID_ARGUMENT',
    message: (m: { file: string; key: string; wanted: string }) => `${m.file}: "${m.key}" must be ${m.wanted}`,
  },
});
