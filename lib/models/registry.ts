import { LiveModel, layeredModel } from '../model/layers';
import { omaModel } from '../model/oma';
import type { Model } from '../model/types';
import { WatchedFolder } from './folder';
import type { FolderTimes } from './folder';
import type { ModelFile } from './types';

/** For whom definitions are: all servers, or one. */
export type ModelScope = 'all' | 'own';

/** A definition file that cannot be used. */
export interface ModelProblem {
  readonly scope: ModelScope;
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

export interface ModelRegistryOptions extends FolderTimes {
  /** Folder of the definitions for all servers. */
  readonly modelsDir?: string | undefined;
  /** Folder of those for this server; usually a sub-folder. */
  readonly ownModelsDir?: string | undefined;
  /** Told of each file that cannot be used when it is read. */
  readonly onProblem?: (problem: ModelProblem) => void;
}

/** The object definitions of one server: the OMA registry, and above it the files of its folders as they are at the moment. */
export class ModelRegistry {
  readonly #model = new LiveModel(omaModel());
  readonly #options: ModelRegistryOptions;
  #all: WatchedFolder | undefined;
  #own: WatchedFolder | undefined;

  constructor(options: ModelRegistryOptions) {
    this.#options = options;
  }

  /** Watches the folders, and resolves once they are read for the first time. Never rejects. */
  async start(): Promise<void> {
    const { modelsDir, ownModelsDir } = this.#options;
    this.#own = this.#folder('own', ownModelsDir);
    // The folder of this server may be made, or removed, inside the other one.
    this.#all = this.#folder('all', modelsDir, () => this.#own?.poke());
    await this.refresh();
  }

  get model(): Model {
    return this.#model;
  }

  /** Reads what changed in the folders. Never rejects. */
  async refresh(): Promise<void> {
    await Promise.all([this.#all?.refresh(), this.#own?.refresh()]);
  }

  files(scope: ModelScope): readonly ModelFile[] {
    return (scope === 'all' ? this.#all : this.#own)?.files ?? [];
  }

  close(): void {
    this.#all?.close();
    this.#own?.close();
    this.#all = this.#own = undefined;
  }

  #folder(scope: ModelScope, dir: string | undefined, onEvent: () => void = () => undefined): WatchedFolder | undefined {
    if (dir === undefined || dir === '') return undefined;
    const { quiet, rescan } = this.#options;
    return new WatchedFolder({
      dir,
      onEvent,
      ...(quiet !== undefined && { quiet }),
      ...(rescan !== undefined && { rescan }),
      onChange: (read) => this.#changed(scope, read),
    });
  }

  #changed(scope: ModelScope, read: readonly ModelFile[]): void {
    this.#model.replace(layeredModel(this.#all?.definitions ?? [], this.#own?.definitions ?? []));
    for (const { file, error } of read) if (error) this.#options.onProblem?.({ scope, file, ...error });
  }
}
