/** What the admin routes answer and the dialogs read. */

export interface DeviceRow {
  readonly endpoint: string;
  readonly objects: readonly { readonly objectId: number; readonly instanceId?: number }[];
}

/** Of GET lwm2m/<server id>/devices. `deployed` false: the server does not run (yet). */
export interface DevicesAnswer {
  readonly deployed: boolean;
  readonly devices: readonly DeviceRow[];
}

/** Of GET lwm2m/objects: one object with the resources a person can choose. */
export interface ObjectRow {
  readonly id: number;
  readonly name: string;
  readonly resources: readonly { readonly id: number; readonly name: string; readonly operations: string; readonly units?: string }[];
}

/** A definition file, of GET lwm2m/<server id>/models. */
export interface ModelRow {
  /** 'own': for this server; 'all': for all servers. */
  readonly scope: 'all' | 'own';
  readonly file: string;
  readonly objects: readonly { readonly id: number; readonly name: string; readonly version: string }[];
  readonly error?: { readonly line: number; readonly reason: string };
}

export interface ModelsAnswer {
  readonly files: readonly ModelRow[];
}

/** Of POST lwm2m/<server id>/models/<scope>: what was kept, or why it was refused. */
export type UploadAnswer = Pick<ModelRow, 'file' | 'objects'> | Required<Pick<ModelRow, 'error'>>;

/** Of POST lwm2m/<server id>/command: the answer, the list of commands, or the word that the server does not run (yet). */
export type TryAnswer =
  { readonly payload: unknown; readonly warnings: readonly string[] } | { readonly help: string } | { readonly deployed: false };

/** A new key pair with a certificate: PEM, and DER in base64. */
export interface CertifiedPairAnswer extends KeyPairAnswer {
  readonly certificate: string;
  readonly certificateDer: string;
}

/** A new key pair: PEM, and DER in base64. */
export interface KeyPairAnswer {
  readonly privateKey: string;
  readonly privateKeyDer: string;
  readonly publicKey: string;
  readonly publicKeyDer: string;
}

/** Of POST lwm2m/<server id>/profile/names, one a path: what it is called, and the key it gets by itself. */
export interface ResourceName {
  /** The resource cannot be read: it has no values. */
  readonly unreadable?: true;
  readonly name?: string;
  readonly key?: string;
}

/** What the other routes of a profile answer when they cannot, in words; where the texts are known, also as remarks. */
export interface Refusal {
  readonly error: string;
  readonly remarks?: readonly RemarkAnswer[];
}

/** Of POST lwm2m/<server id>/profile/learn. */
export type LearnAnswer =
  { readonly definition: object; readonly remarks: readonly RemarkAnswer[] } | { readonly deployed: false } | Refusal;

/** Something to tell about a profile, by the id of its text and what goes into it; `text` in English. */
export interface RemarkAnswer {
  readonly id: string;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly text: string;
}

/** Of POST lwm2m/<server id>/profile/preview. */
export type PreviewAnswer =
  { readonly requests: readonly string[]; readonly remarks: readonly RemarkAnswer[] } | { readonly deployed: false } | Refusal;

/** Of POST lwm2m/<server id>/profile/import with the text of a device profile of an IoT Hub. */
export type ImportAnswer =
  | {
      readonly definition: { readonly resources: readonly object[] };
      readonly kept: object;
      readonly remarks: readonly RemarkAnswer[];
      readonly name?: string;
    }
  | Refusal;

/** Of POST lwm2m/<server id>/profile/export. */
export type ExportAnswer = { readonly json: unknown; readonly remarks: readonly RemarkAnswer[] } | Refusal;
