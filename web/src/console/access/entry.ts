// Who has the key is let in, once the server has said that it is one.

import { Admin } from "../api.ts";

/**
 * Returns the API for a key that the server takes; throws what the server says of another. `onDenied`
 * hears each time that it takes the key no more.
 */
export async function signIn(key: string, onDenied: (admin: Admin) => void, baseUrl = ""): Promise<Admin> {
  let isIn = false;
  const admin = new Admin(
    key,
    () => {
      if (isIn) onDenied(admin);
    },
    baseUrl,
  );
  await admin.fleet();
  isIn = true;
  return admin;
}
