// The names of users, as they are kept: one that nobody proved has a word before it.

import { isUser } from "../address/address.ts";

const UNVERIFIED = "unverified:";

export interface UserName {
  name: string;
  /** Whether an identity provider says so; else anybody may have claimed it. */
  isProved: boolean;
}

/** Returns the name in the id of a user. */
export function userNameOf(id: string): UserName {
  const isProved = !id.startsWith(UNVERIFIED);
  return { name: isProved ? id : id.slice(UNVERIFIED.length), isProved };
}

/** Returns the id of who only claims to have this one; null where there is no such id. */
export function claimedIdOf(id: string): string | null {
  const claimed = UNVERIFIED + id;
  return id !== "" && userNameOf(id).isProved && isUser(claimed) ? claimed : null;
}
