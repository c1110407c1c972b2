import { ControlServiceDefinition, type InitResponse } from '../../../proto/gen/longshore/network/v1/control.ts';
import type { Config } from '../config.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';
import { drain } from './drain.ts';
import type { Roots } from './lock-roots.ts';

export type DefaultBridge = InitResponse;

/** The original's init_networkdriver: the default bridge, its rules, forwarding. */
export const initNetworkDriver = (
  config: Config,
  roots: Roots,
  mtu: number,
  services: ServiceSet,
): Step<DefaultBridge> => ({
  name: 'init network driver',
  async run(step) {
    const control = services.network.channel.client(ControlServiceDefinition);
    const init = () =>
      control.init({
        fence: roots.fence,
        disableNetwork: config.disableNetwork,
        bridge: config.bridge ?? '',
        bridgeName: config.bridgeName,
        bip: config.bip ?? '',
        icc: config.icc,
        iptables: config.iptables,
        ipForward: config.ipForward,
        defaultBindingIp: config.bindingIp,
        mtu,
        dnsServers: [...config.dns],
        dnsSearch: [...config.dnsSearch],
        dnsOptions: [...config.dnsOptions],
        idMaps: config.idMaps,
      });
    const bridge = await init();
    step.defer(() => drain(() => control.drain({ keep: roots.living.ids() })));
    services.network.confirm(async () => void (await init()));
    const words = bridge.bridge === '' ? 'no bridge' : `${bridge.bridge} ${bridge.bridgeAddress}`;
    step.say([words, ...bridge.warnings].join('; '));
    return bridge;
  },
});
