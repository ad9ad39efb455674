/** What the server wrote into the page for styles that are made in the browser. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[name=csp-nonce]')?.content;
