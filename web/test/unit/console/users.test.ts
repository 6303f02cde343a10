import { describe, expect, it } from "vitest";

import { claimedIdOf, userNameOf } from "../../../src/console/sessions/users.ts";

describe("the id of a user", () => {
  it("has the name, and whether it is proved", () => {
    expect(userNameOf("ada")).toEqual({ name: "ada", isProved: true });
    expect(userNameOf("unverified:ada")).toEqual({ name: "ada", isProved: false });
  });

  it("is another one where the name is only claimed", () => {
    expect(claimedIdOf("ada")).toBe("unverified:ada");
  });

  it.each(["", "unverified:ada", "no name", "a".repeat(128)])("of a claim is none for %j", (id) => {
    expect(claimedIdOf(id)).toBeNull();
  });
});
