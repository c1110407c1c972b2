import { ControlServiceDefinition } from '../../../proto/gen/longshore/graphdriver/v1/control.ts';
import type { ServiceSet } from '../supervisor/services.ts';
import type { Step } from './boot.ts';

export const migrateLayouts = (services: ServiceSet): Step<void> => ({
  name: 'migrate earlier layouts',
  async run(step) {
    const { moved } = await services.graphdriver.channel.client(ControlServiceDefinition).migrate({});
    step.say(moved.length === 0 ? 'nothing to move' : moved.join('; '));
  },
});
