// What the site owner wrote on the script tag. It is there only while the script first runs.
const script = document.currentScript as HTMLScriptElement;
export const data = script.dataset;

/**
 * The origin that the script came from, with a slash behind it: the measuring server, or the site's own proxy of it. It carries no
 * user name and password, which fetch refuses.
 */
export const home = `${new URL(script.src).origin}/`;

/** The site, as the server knows it. */
export const domain = data.domain || location.hostname;
