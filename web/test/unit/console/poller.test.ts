import { describe, expect, it } from "vitest";

import { Unreachable } from "../../../src/api/errors.ts";
import { Poller, type Surroundings } from "../../../src/console/live/poller.ts";

const EVERY_MS = 2_000;

/** A world whose time passes when it is told to. */
class World implements Surroundings {
  time = 1_000_000;
  visible = true;
  readonly timers = new Set<{ at: number; call: () => void }>();
  readonly watchers = new Set<() => void>();

  readonly now = (): number => this.time;
  readonly isVisible = (): boolean => this.visible;
  readonly after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.time + ms, call };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  };
  readonly watch = (tell: () => void): (() => void) => {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  };

  pass(ms: number): void {
    this.time += ms;
    for (const timer of [...this.timers]) {
      if (timer.at > this.time || !this.timers.delete(timer)) continue;
      timer.call();
    }
  }

  show(isVisible: boolean): void {
    this.visible = isVisible;
    for (const tell of [...this.watchers]) tell();
  }
}

/** A server that answers when it is told to. */
class Server {
  readonly asked: { signal: AbortSignal; answer: (value: string) => void; refuse: (error: unknown) => void }[] = [];

  readonly ask = (signal: AbortSignal): Promise<string> =>
    new Promise((answer, refuse) => this.asked.push({ signal, answer, refuse }));

  async answer(value: string): Promise<void> {
    this.asked.at(-1)?.answer(value);
    await settled();
  }

  async refuse(error: unknown): Promise<void> {
    this.asked.at(-1)?.refuse(error);
    await settled();
  }
}

/** Lets what waits for a promise run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

function start(isLast?: (value: string) => boolean) {
  const world = new World();
  const server = new Server();
  const poller = new Poller<string>(world);
  poller.start(server.ask, { everyMs: EVERY_MS, ...(isLast === undefined ? {} : { isLast }) });
  return { world, server, poller };
}

describe("a poller", () => {
  it("asks at once, and again after its pause", async () => {
    const { world, server, poller } = start();
    await server.answer("one");
    expect(poller.snapshot()).toMatchObject({ value: "one", isCurrent: true, at: world.time, error: null });
    world.pass(EVERY_MS - 1);
    expect(server.asked).toHaveLength(1);
    world.pass(1);
    expect(server.asked).toHaveLength(2);
  });

  it("never asks twice at once, however long an answer takes", async () => {
    const { world, server, poller } = start();
    world.pass(100 * EVERY_MS);
    poller.refresh();
    poller.refresh();
    expect(server.asked).toHaveLength(1);
    await server.answer("late");
    // What was asked for meanwhile comes now, once.
    expect(server.asked).toHaveLength(2);
    await server.answer("fresh");
    expect(server.asked).toHaveLength(2);
    expect(world.timers.size).toBe(1);
  });

  it("asks ever more slowly while it fails, keeps what it had, and recovers", async () => {
    const { world, server, poller } = start();
    await server.answer("one");
    world.pass(EVERY_MS);
    const failedAt = world.time;
    const pauses: number[] = [];
    for (let failures = 0; failures < 6; failures += 1) {
      await server.refuse(new Unreachable("away"));
      const { nextAt, failingSince, value } = poller.snapshot();
      expect({ failingSince, value }).toEqual({ failingSince: failedAt, value: "one" });
      pauses.push((nextAt ?? 0) - world.time);
      world.pass(pauses.at(-1) ?? 0);
    }
    expect(pauses).toEqual([4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    await server.answer("two");
    expect(poller.snapshot()).toMatchObject({ value: "two", error: null, failingSince: null });
    expect(poller.snapshot().nextAt).toBe(world.time + EVERY_MS);
  });

  it("stays away for as long as the server asks it to", async () => {
    const { world, server, poller } = start();
    await server.refuse(new Unreachable("busy", { retryAfterSeconds: 45 }));
    expect(poller.snapshot().nextAt).toBe(world.time + 45_000);
  });

});

describe("a poller while the page is hidden", () => {
  it("does not ask, but at once when it is shown again", async () => {
    const { world, server } = start();
    await server.answer("one");
    world.show(false);
    world.pass(10 * EVERY_MS);
    expect(server.asked).toHaveLength(1);
    world.show(true);
    expect(server.asked).toHaveLength(2);
  });

  it("does not ask too early because the page was hidden for a moment", async () => {
    const { world, server } = start();
    await server.answer("one");
    world.show(false);
    world.show(true);
    expect(server.asked).toHaveLength(1);
  });

  it("does not ask at all when it starts hidden", () => {
    const world = new World();
    const server = new Server();
    world.visible = false;
    new Poller<string>(world).start(server.ask, { everyMs: EVERY_MS });
    expect(server.asked).toHaveLength(0);
    world.show(true);
    expect(server.asked).toHaveLength(1);
  });

});

describe("a poller that is stopped, or asked something else,", () => {
  it("aborts its request, and takes no answer any more", async () => {
    const { world, server, poller } = start();
    poller.stop();
    expect(server.asked[0]?.signal.aborted).toBe(true);
    await server.answer("too late");
    expect(poller.snapshot().value).toBeNull();
    expect([world.timers.size, world.watchers.size]).toEqual([0, 0]);
    poller.refresh();
    expect(server.asked).toHaveLength(1);
  });

  it("keeps the last answer while another question is asked, and says so", async () => {
    const { server, poller } = start();
    const other = new Server();
    await server.answer("one");
    poller.start(other.ask, { everyMs: EVERY_MS });
    expect(poller.snapshot()).toMatchObject({ value: "one", isCurrent: false });
    await other.answer("two");
    expect(poller.snapshot()).toMatchObject({ value: "two", isCurrent: true });
  });

  it("takes no answer to the question before", async () => {
    const { server, poller } = start();
    const other = new Server();
    poller.start(other.ask, { everyMs: EVERY_MS });
    await server.answer("of the first");
    expect(poller.snapshot()).toMatchObject({ value: null, isCurrent: false });
  });

  it("asks no more after an answer that is the last, unless it is told to", async () => {
    const { world, server, poller } = start((value) => value === "over");
    await server.answer("live");
    world.pass(EVERY_MS);
    await server.answer("over");
    expect([world.timers.size, poller.snapshot().nextAt]).toEqual([0, null]);
    poller.refresh();
    expect(server.asked).toHaveLength(3);
  });
});
