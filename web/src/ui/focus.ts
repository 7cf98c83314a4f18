/** As a ref: a field that appears because somebody asked for it has the focus. */
export const focused = (element: HTMLElement | null): void => element?.focus();
