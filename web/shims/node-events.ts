/** Node.js warns of many listeners; browsers do not. */
export function setMaxListeners(): void {}
