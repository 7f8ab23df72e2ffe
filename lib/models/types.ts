import type { ObjectDefinition } from '../model/types';

/** One definition file of a folder: the objects in it, or why it is not used. */
export interface ModelFile {
  /** Its name in the folder. */
  readonly file: string;
  /** Empty for a list of resources that objects share, and where there is an error. */
  readonly objects: readonly ObjectDefinition[];
  readonly error?: ModelFileError;
}

export interface ModelFileError {
  /** From 1. */
  readonly line: number;
  /** In plain words. */
  readonly reason: string;
}
