/* Calling the API, and the key that it asks for. */

import { byId, capitalized, closed, inputById, say } from "./dom.js";

/** The slug in the page's own address. */
export const organization = location.pathname.replace(/\/+$/, "").split("/").at(-2) ?? "";
const here = location.pathname.replace(/\/admin\/*$/, "");
const everywhere = here.replace(/\/[^/]*$/, "");

/* The key stays in the tab's session storage: it survives a reload, is gone with the tab, and is sent by nobody
 * but this script. It is never read from the query, which servers log; from behind a `#`, which no server sees. */
const KEY = "function-key";

function takeKeyFromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const given = wanted.get("key");
  if (given) sessionStorage.setItem(KEY, given);
  if (given !== null || location.search) history.replaceState(null, "", location.pathname);
}

takeKeyFromAddress();

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

/** The app's refusal, as a sentence for people. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {{ error?: string, detail?: string, errors?: Record<string, string> }} content
   * @param {string | null} retryAfter
   */
  constructor(status, content = {}, retryAfter = null) {
    super(sentenceOf(status, content.detail, retryAfter));
    this.name = "Refusal";
    this.status = status;
    this.kind = content.error;
    this.errors = content.errors ?? {};
  }
}

/**
 * @param {number} status
 * @param {string | undefined} said
 * @param {string | null} retryAfter
 */
function sentenceOf(status, said, retryAfter) {
  const fallback = status === 500 ? "something unexpected happened; see the app's log" : `the app answered ${status}`;
  const detail = (said || fallback).replace(/\.$/, "");
  const wait = retryAfter === null || /try again/.test(detail) ? "" : ` Try again in ${retryAfter} seconds.`;
  return `${capitalized(detail)}.${wait}`;
}

/**
 * @typedef {object} Options
 * @property {unknown} [body]
 * @property {string | null} [etag]
 * @property {AbortSignal} [signal]
 * @property {string} [type] the content type, if it is no JSON
 * @property {boolean} [isQuiet] asks nobody for the key
 */

/**
 * @param {string} method
 * @param {string} address
 * @param {Options} options
 */
async function send(method, address, { body, etag = null, signal, type = "application/json" }) {
  const key = sessionStorage.getItem(KEY);
  const headers = {
    ...(key && { "x-functions-key": key }),
    ...(etag !== null && { "If-Match": etag }),
    ...(body !== undefined && { "Content-Type": type }),
  };
  try {
    return await fetch(address, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, { detail: "the app cannot be reached" });
  }
}

/**
 * Return the app's answer; if the app requires a key, ask the person for it first.
 * @param {string} method
 * @param {string} path
 * @param {Options} options
 * @returns {Promise<{ content: any, etag: string | null }>}
 */
export async function ask(method, path, options = {}) {
  let answer = await send(method, here + path, options);
  while (answer.status === 401 && !options.isQuiet) {
    await askForKey();
    answer = await send(method, here + path, options);
  }
  if (answer.status === 401) throw new Refusal(401, { detail: "the app asks for a function key" });
  // The host's own refusals and a 204 have no body.
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, content, answer.headers.get("Retry-After"));
  return { content, etag: answer.headers.get("ETag") };
}

/**
 * Return all that is connected, or nothing if the key does not open that.
 * @returns {Promise<{ organization: string }[]>}
 */
export async function connected() {
  try {
    const answer = await send("GET", everywhere, {});
    return answer.ok ? (await answer.json()).organizations : [];
  } catch {
    return [];
  }
}

/** @param {string} slug */
export const pageOf = (slug) => `${everywhere}/${encodeURIComponent(slug)}/admin`;

/** @type {Promise<void> | null} */
let keyAsked = null;

/** Open one dialog for all requests that wait for the key. */
function askForKey() {
  keyAsked ??= (async () => {
    const refused =
      "The app did not accept this key. Check that all of it was copied, and that it is a key of this app.";
    say(byId("key-said"), hasKey() ? refused : "", "bad");
    const answer = await closed("key-dialog");
    const given = inputById("key").value.trim();
    inputById("key").value = "";
    if (answer !== "use") throw new Refusal(401, { detail: "the app asks for a function key" });
    sessionStorage.setItem(KEY, given);
  })().finally(() => {
    keyAsked = null;
  });
  return keyAsked;
}

/**
 * Write parameters as a query, without those that are empty.
 * @param {Record<string, string | null | undefined>} parameters
 */
export function query(parameters) {
  const given = Object.entries(parameters).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
