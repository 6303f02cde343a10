// Where the focus goes when what had it is gone.

/** Goes to an element once what the page has just become is shown. */
export function focusSoon(...ids: string[]): void {
  requestAnimationFrame(() => {
    const found = ids.map((id) => document.getElementById(id)).find((element) => element !== null);
    found?.focus();
  });
}
