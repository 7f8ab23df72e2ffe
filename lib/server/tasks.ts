import type { Model } from '../model/types';
import { cancelAll } from './cancel-all';
import type { ServerContext } from './context';
import { isComposite, performOneByOne, singleOf, type Step } from './one-by-one';
import { isCancellation, operationRequest, type LocalOperation } from './operation-requests';
import { OperationService, type StartedOperation } from './operation-service';
import { failure } from './results';
import type { Operation, OperationOptions, OperationResult, Registration } from './types';

/** An operation that asks the device: by one request, or in several steps. */
export type QueueableOperation = Exclude<Operation, LocalOperation>;

/** An operation of several steps. */
interface Task {
  /** Operations under way. */
  readonly steps: Set<number>;
  cancelled: boolean;
}

/**
 * Operations of one request, and those of several: ObserveCancelAll, and composites done one by one. Each has a number and one
 * result.
 */
export class Tasks {
  readonly operations: OperationService;
  readonly #context: ServerContext;
  readonly #onResult: (id: number, result: OperationResult) => void;
  readonly #tasks = new Map<number, Task>();
  readonly #steps = new Map<number, (result: OperationResult) => void>();
  /** Operations of one request count up, these down. */
  #nextId = -1;

  constructor(context: ServerContext, onResult: (id: number, result: OperationResult) => void) {
    this.#context = context;
    this.#onResult = onResult;
    this.operations = new OperationService(context, (id, result) => this.#finished(id, result));
  }

  /** Starts an operation; `result` when it is there at once, else it comes through `onResult`. `again`: see `OperationService.start`. */
  start(endpoint: string, operation: Operation, options: OperationOptions, again = false): { id: number; result?: OperationResult } {
    const oneByOne = options.oneByOne === true && isComposite(operation) ? operation : undefined;
    if (operation.kind !== 'ObserveCancelAll' && !oneByOne) return this.operations.start(endpoint, operation, options, again);
    const entry = this.#context.registrations.byEndpoint(endpoint);
    if (!entry) return { id: 0, result: failure('UNKNOWN_ENDPOINT', `No device with the endpoint name "${endpoint}" is registered.`) };
    const { registration } = entry;
    const id = this.#nextId--;
    const task: Task = { steps: new Set(), cancelled: false };
    this.#tasks.set(id, task);
    const step: Step = (each) => this.#step(task, endpoint, each, options);
    const whole = oneByOne
      ? performOneByOne(oneByOne, registration, step)
      : cancelAll(registration, this.#context.observations.of(registration.id), step);
    const ended = (result: OperationResult): void => {
      this.#tasks.delete(id);
      this.#onResult(id, result);
    };
    void whole.then(ended, (error: unknown) =>
      ended(failure('BAD_REQUEST', `This operation cannot be done: ${String(error)}.`, registration)),
    );
    return { id };
  }

  /** Ends an operation with `CANCELLED`. */
  cancel(id: number): void {
    const task = this.#tasks.get(id);
    if (!task) {
      this.operations.cancel(id);
      return;
    }
    task.cancelled = true;
    for (const step of task.steps) this.operations.cancel(step);
  }

  /** Since when the device has not acknowledged what it was sent; undefined when it has. */
  unacknowledgedSince(id: number): number | undefined {
    for (const step of this.#tasks.get(id)?.steps ?? [id]) {
      const since = this.operations.unacknowledgedSince(step);
      if (since !== undefined) return since;
    }
    return undefined;
  }

  /** Ends an operation that the device has not acknowledged with `TIMEOUT_NO_ACK`; any other goes on. */
  giveUp(id: number): void {
    // The latest first, or each that ends would let the next one leave.
    for (const step of [...(this.#tasks.get(id)?.steps ?? [id])].reverse()) this.operations.giveUp(step);
  }

  #step(task: Task, endpoint: string, operation: StartedOperation, options: OperationOptions): Promise<OperationResult> {
    if (task.cancelled) return Promise.resolve(failure('CANCELLED', `${operation.kind}: it was called back.`));
    return new Promise((resolve) => {
      const { id, result } = this.operations.start(endpoint, operation, options);
      if (result) {
        resolve(result);
        return;
      }
      task.steps.add(id);
      this.#steps.set(id, (answer) => {
        task.steps.delete(id);
        resolve(answer);
      });
    });
  }

  #finished(id: number, result: OperationResult): void {
    const step = this.#steps.get(id);
    if (!step) {
      this.#onResult(id, result);
      return;
    }
    this.#steps.delete(id);
    step(result);
  }
}

/** Throws `EncodeError` when a value of the operation does not fit its format. */
export function checkEncodable(operation: QueueableOperation, registration: Registration, model: Model, options: OperationOptions): void {
  if (operation.kind === 'ObserveCancelAll' || isCancellation(operation)) return;
  if (options.oneByOne === true && isComposite(operation)) {
    for (const path of operation.paths) checkEncodable(singleOf(operation, path), registration, model, options);
  } else operationRequest(operation, registration, model, options);
}
