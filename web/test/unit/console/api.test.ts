import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ApiError, Unreachable } from "../../../src/api/errors.ts";
import { signIn } from "../../../src/console/access/entry.ts";
import { Admin, isKey } from "../../../src/console/api.ts";

const KEY = "an-admin-key-of-some-length";
const FLEET = { success: true, sessions: {}, capacity: 4, workers: [], pool: {}, latency: {} };
const DENIAL = { success: false, error: { code: "unauthorized", message: "Send an admin key." } };

interface Asked {
  method: string | undefined;
  url: string | undefined;
  key: string | undefined;
  body: string;
}

let server: Server;
let url: string;
/** What the server takes for a key now. */
let key: string;
let asked: Asked[];
let answer: object;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const piece of request) body += String(piece);
  return body;
}

beforeEach(async () => {
  [key, asked, answer] = [KEY, [], FLEET];
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const given = request.headers.authorization;
      asked.push({ method: request.method, url: request.url, key: given, body });
      const isIn = given === `Bearer ${key}`;
      response.writeHead(isIn ? 200 : 401, { "Content-Type": "application/json" });
      response.end(JSON.stringify(isIn ? answer : DENIAL));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

function adminHere(): Admin {
  return new Admin(KEY, () => undefined, url);
}

describe("signing in", () => {
  it("asks the server with the key, in a header", async () => {
    await signIn(KEY, () => undefined, url);
    expect(asked).toEqual([{ method: "GET", url: "/api/fleet", key: `Bearer ${KEY}`, body: "" }]);
  });

  it("fails with a wrong key, which is no loss of a right one", async () => {
    let losses = 0;
    const error = await signIn("wrong", () => (losses += 1), url).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect([error instanceof ApiError && error.status, losses]).toEqual([401, 0]);
  });

  it("fails without a server", async () => {
    await expect(signIn(KEY, () => undefined, "http://127.0.0.1:9")).rejects.toBeInstanceOf(Unreachable);
  });

  it("tells whose key the server takes no more, whatever it was asked", async () => {
    const denied: Admin[] = [];
    const admin = await signIn(KEY, (who) => denied.push(who), url);
    key = "another";
    await expect(admin.session("ab").logs()).rejects.toBeInstanceOf(ApiError);
    expect(denied).toEqual([admin]);
  });

  it.each(["", "with space", "schlüssel", "a\nb"])("is not tried with what no header carries: %j", (text) => {
    expect(isKey(text)).toBe(false);
  });
});

describe("an admin", () => {
  it("asks for sessions with the filters that are set", async () => {
    answer = { sessions: [], next: null };
    const query = { state: "over", user: "unverified:a+b", worker: "", limit: 25, after: "ended~1:ab" } as const;
    await adminHere().sessions(query);
    const { searchParams } = new URL(asked[0]?.url ?? "", url);
    expect(Object.fromEntries(searchParams)).toEqual({
      state: "over",
      limit: "25",
      user: "unverified:a+b",
      after: "ended~1:ab",
    });
  });

  it("drains a worker, and lets it take sessions again", async () => {
    answer = { changed: true };
    expect(await adminHere().drain("w/1", true)).toBe(true);
    await adminHere().drain("w/1", false);
    expect(asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", "/api/workers/w%2F1/drain", '{"draining":true}'],
      ["POST", "/api/workers/w%2F1/drain", '{"draining":false}'],
    ]);
  });

  it("resizes the pool and stops a session", async () => {
    answer = { pool: { target: 7 }, sessionId: "ab", status: "ending" };
    expect(await adminHere().resizePool(7)).toEqual({ target: 7 });
    expect(await adminHere().stop("ab")).toMatchObject({ status: "ending" });
    expect(asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", "/api/pool/resize", '{"size":7}'],
      ["POST", "/api/session/ab/stop", ""],
    ]);
  });

  it("takes the pool's target away", async () => {
    answer = { pool: { target: null } };
    expect(await adminHere().resizePool(null)).toEqual({ target: null });
    expect(asked[0]?.body).toBe('{"size":null}');
  });

  it("takes no answer that is none of ours", async () => {
    answer = { workers: [] };
    await expect(adminHere().fleet()).rejects.toBeInstanceOf(Unreachable);
  });
});
