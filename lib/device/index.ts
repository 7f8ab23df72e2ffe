export { createDevice } from './device';
export type { DeviceOptions, SimulatedDevice } from './device';
export { DeviceError } from './types';
export type { DeviceEvent, DeviceState, DeviceValue } from './types';
