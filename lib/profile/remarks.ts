/** Something about a profile that a person should know: `text` in English; `id` and `facts` are for a translation. */
export interface Remark {
  readonly id: RemarkId;
  readonly facts: RemarkFacts;
  readonly text: string;
}

/** What a profile would make of a device: requests in words, such as "Observe /3/0/9", in their order. */
export interface ProfilePreview {
  readonly requests: readonly string[];
  readonly remarks: readonly Remark[];
}

export type RemarkFacts = Readonly<Record<string, string | number>>;

export type RemarkId = keyof typeof REMARKS;

/** The texts by id, with the names of their facts between double underscores. */
export const REMARKS = {
  // What a device cannot do, or its profile says twice.
  noComposite: 'The device announces no composite operations: each resource is asked for by itself.',
  tooManyPaths: 'The profile stands for more than __max__ resources of this device: the others are left out.',
  sharedKey: 'The key __key__ is that of __first__ and of __second__.',
  unreadable: '__path__ (__name__) cannot be read: it is left out.',
  newerAttribute: '__path__: __name__ came with LwM2M __since__, and the device has __version__. It is left out.',
  noMuteSend: 'Mute Send came with LwM2M 1.1, and is a resource of object 1: the device has none. It is left out.',
  // What of a device is not learned.
  objectsLeftOut: 'The device has __count__ objects: the first __max__ of them were looked at.',
  resourcesLeftOut: 'The device has more than __max__ resources that can be read: the first of them are here.',
  // What of an IoT Hub's profile is done otherwise here, or not at all.
  strategyUnknown: 'The observation strategy is not known: each resource is observed by itself.',
  noResource: '"__where__" has __path__, which is no path of a resource: it is kept and not used.',
  noKeyAtAll: '__path__ is observed, but neither telemetry nor attribute: its values appear under no key.',
  badKey: '__path__ cannot have the key __key__: it gets the one of its name.',
  keyTaken: 'The key __key__ is that of __other__ already: __path__ gets __own__.',
  noAttributes: '"attributeLwm2m" has __path__, which is no path with attributes: it is kept and not used.',
  badAttribute: '__path__: __reason__ It is kept and not written.',
  badAttributes: '__path__: __reason__ They are kept and not written.',
  ota: 'Updates of firmware and software (__names__) are kept and not used.',
  sleep: 'Sleep (__names__) is kept and not used: whether a device sleeps is what it registers with (queue mode).',
  defaultVersion: '"defaultObjectIDVer" is kept and not used: a device says its versions itself.',
  bootstrap: '"bootstrap" is kept and not used.',
  versions: 'Of an object version only the major number has to fit: /3_1.2 is for devices with version 1.0 to 1.x.',
  numbers: '__paths__: the value is the number the device has, not a text such as "Idle".',
  attributesFirst: 'Attributes are written before anything is observed, not after it.',
  initialRead: '"initAttrTelAsObsStrategy" means nothing beside the strategy SINGLE: each resource is read by itself.',
  // What of a profile an IoT Hub has no place for.
  everyInstance: 'An IoT Hub has no path for every instance: __paths__ is exported for instance 0.',
  scaled: 'Factor, offset and unit are left out: __paths__.',
  theirAttributes: 'An IoT Hub does not write __names__.',
  muteSend: 'An IoT Hub has no setting for Mute Send.',
  // Why a device cannot be asked, or something is no profile.
  nobody: 'The device "__endpoint__" is not registered.',
  nothingReadable: 'The device "__endpoint__" has no resource that could be read.',
  notTold: 'The device "__endpoint__" does not tell what object __object__ has: __reason__',
  notHub: 'This is no LwM2M device profile of an IoT Hub.',
  hubNoJson: 'It is no JSON: __reason__',
  hubNoObject: 'It is not an object.',
  hubNoConfiguration: '"profileData" has no "transportConfiguration".',
  hubTransport: 'It is for the transport __transport__, not for "LWM2M".',
  hubNoObserveAttr: 'It has no "observeAttr", which says what is read and observed.',
  hubList: '"observeAttr.__name__" is a list of paths.',
  hubRecord: '"observeAttr.__name__" is an object with a path for each name.',
  hubNested: 'It is nested in more than __max__ levels.',
  hubLarge: 'It is far too large.',
  hubResources: 'It has __count__ resources, __max__ are the most.',
  hubAttributes: 'It has attributes of __count__ paths, __max__ are the most.',
} as const;

export function remark(id: RemarkId, facts: RemarkFacts = {}): Remark {
  const text = REMARKS[id].replace(/__(\w+?)__/g, (_whole, name: string) => String(facts[name] ?? ''));
  return { id, facts, text };
}

/** What cannot be done, said by remarks: the message joins their texts. */
export class RemarkError extends Error {
  constructor(readonly remarks: readonly Remark[]) {
    super(remarks.map(({ text }) => text).join(' '));
  }
}
