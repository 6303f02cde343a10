// A value that changes and tells: what React's useSyncExternalStore reads.

export class Observable<T extends object> {
  private value: T;
  private readonly listeners = new Set<() => void>();

  constructor(value: T) {
    this.value = value;
  }

  /** The value as it is now; another object once anything has changed. */
  readonly snapshot = (): T => this.value;

  /** Tells of changes until the function that is returned is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  protected change(part: Partial<T>): void {
    const isNew = Object.entries(part).some(([name, value]) => !Object.is(this.value[name as keyof T], value));
    if (!isNew) return;
    this.value = { ...this.value, ...part };
    for (const listener of this.listeners) listener();
  }
}
