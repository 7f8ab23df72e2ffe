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
