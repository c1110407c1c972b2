import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../kit/errors.ts';
import { majorOf, minorOf } from '../../../kit/linux/files.ts';
import { hasCode } from '../../../kit/linux/system-error.ts';
import type { Device } from '../../../proto/gen/longshore/execdriver/v1/spec.ts';
import { errors } from '../errors.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/** Character devices every container may use, beside those the runtimes allow by themselves. */
const [zero, nullDevice, urandom, random, tty, console, fuse] = [
  [1, 5],
  [1, 3],
  [1, 9],
  [1, 8],
  [5, 0],
  [5, 1],
  [10, 229],
] as const;

const character = ([major, minor]: readonly [number, number], allow: boolean): OciDeviceRule => ({
  allow,
  type: 'c',
  major,
  minor,
  access: 'rwm',
});

const defaultRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  ...[zero, nullDevice, urandom, random, tty, console].map((device) => character(device, true)),
  character(fuse, false),
];

/** What the runtime makes in a container's /dev by itself, or mounts there. */
const notPassedOn = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console'];

export interface Devices {
  devices: OciDevice[];
  rules: OciDeviceRule[];
}

export async function devicesFor(
  wanted: readonly Device[],
  cgroupRules: readonly string[],
  privileged: boolean,
): Promise<Devices> {
  if (privileged) {
    const renamed = wanted.filter((device) => device.pathOnHost !== device.pathInContainer);
    const asked = await Promise.all(renamed.map(devicesAt));
    return {
      devices: [...(await devicesBelow('/dev', '/dev')), ...asked.flat()],
      rules: [{ allow: true, access: 'rwm' }],
    };
  }
  const rules = [...defaultRules];
  const devices: OciDevice[] = [];
  for (const device of wanted) {
    for (const found of await devicesAt(device)) {
      devices.push(found);
      const { type, major, minor } = found;
      rules.push({ allow: true, type, major, minor, access: device.permissions || 'rwm' });
    }
  }
  return { devices, rules: [...rules, ...cgroupRules.map(parseRule)] };
}

/** The device at a path of the host, symlinks followed, or all devices below a directory. */
async function devicesAt(wanted: Device): Promise<OciDevice[]> {
  const inContainer = wanted.pathInContainer || wanted.pathOnHost;
  try {
    const path = await realpath(wanted.pathOnHost);
    const device = await deviceAt(path, inContainer);
    if (device) return [device];
    if ((await lstat(path)).isDirectory()) {
      const devices = await devicesBelow(path, inContainer);
      if (devices.length > 0) return devices;
    }
  } catch (error) {
    throw notADevice(wanted.pathOnHost, hasCode(error, 'ENOENT') ? 'no such file or directory' : messageOf(error));
  }
  throw notADevice(wanted.pathOnHost, 'not a device node');
}

function notADevice(path: string, cause: string) {
  const detail = `error gathering device information while adding custom device ${JSON.stringify(path)}: ${cause}`;
  return errors.badSpec({ field: 'devices', detail });
}

async function devicesBelow(directory: string, inContainer: string): Promise<OciDevice[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found = entries
    .filter((entry) => !notPassedOn.includes(entry.name))
    .map(async (entry) => {
      const path = join(directory, entry.name);
      const target = join(inContainer, entry.name);
      if (entry.isDirectory()) return devicesBelow(path, target);
      const device = await deviceAt(path, target);
      return device ? [device] : [];
    });
  return (await Promise.all(found)).flat();
}

async function deviceAt(path: string, inContainer: string): Promise<OciDevice | undefined> {
  const status = await lstat(path);
  if (!status.isCharacterDevice() && !status.isBlockDevice()) return undefined;
  return {
    path: inContainer,
    type: status.isBlockDevice() ? 'b' : 'c',
    major: majorOf(status.rdev),
    minor: minorOf(status.rdev),
    fileMode: status.mode & 0o7777,
    uid: status.uid,
    gid: status.gid,
  };
}

/** `c 42:* rmw` of `--device-cgroup-rule`. */
function parseRule(rule: string): OciDeviceRule {
  const match = /^([abc]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(rule);
  if (!match) {
    const detail = `invalid device cgroup rule format: '${rule}'`;
    throw errors.badSpec({ field: 'device_cgroup_rules', detail });
  }
  const [, type = 'a', major, minor, access = 'rwm'] = match;
  return {
    allow: true,
    type,
    ...(major !== '*' && { major: Number(major) }),
    ...(minor !== '*' && { minor: Number(minor) }),
    access,
  };
}
