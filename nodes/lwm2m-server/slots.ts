/**
 * Keys of the device table are credentials of Node-RED, which have fixed names: so many places there are, and a row says which one is
 * its own. Beyond that there are the devices file and the lwm2m-credentials node.
 */
export const slotCount = 200;

export const slots: readonly string[] = Array.from({ length: slotCount }, (_, index) => `psk${index + 1}`);

/** Kept by Node-RED apart from the flow, never sent to the editor, never exported. */
export const credentialDefinition: Readonly<Record<string, { type: 'password' }>> = Object.fromEntries(
  [...slots, 'serverKey', 'serverKeyPassphrase'].map((name) => [name, { type: 'password' as const }]),
);
