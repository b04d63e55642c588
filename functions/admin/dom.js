/* Elements, messages and dialogs: what every part of the page is made of. */

/**
 * Return an element of the page by its id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * Return a field of the page by its id.
 * @param {string} id
 */
export const inputById = (id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * Build an element. Strings become attributes and text, functions become listeners; nothing becomes markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean | null | ((event: any) => void)>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function build(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * Build a link that opens elsewhere, or plain text if there is no address or none that is safe to open.
 * @param {string | null} address
 * @param {string} text
 * @param {string} className
 */
export function anchor(address, text, className = "") {
  if (!address || !/^https?:/i.test(address)) return build("span", { class: className }, text);
  return build("a", { class: className, href: address, target: "_blank", rel: "noreferrer" }, text);
}

/**
 * Capitalize a sentence, unless it starts with a name or an address.
 * @param {string} text
 */
export const capitalized = (text) => (/^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

let lastNumber = 0;
export const newId = () => `made-${++lastNumber}`;

/**
 * Show a message where assistive technology reads it out.
 * @param {HTMLElement} element
 * @param {string} text
 * @param {"" | "good" | "warn" | "bad"} kind
 */
export function say(element, text, kind = "") {
  element.className = kind;
  element.textContent = text;
}

/**
 * Set the text of an element that is looked at again and again, without a change where there is none.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {object} value */
export const isEmpty = (value) => Object.keys(value).length === 0;

/**
 * Say how many there are of something.
 * @param {number} count
 * @param {string} noun
 */
export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/**
 * Return the open dialog's answer, the value of the button that closed it.
 * @param {string} id
 * @returns {Promise<string>}
 */
export function closed(id) {
  const dialog = /** @type {HTMLDialogElement} */ (byId(id));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/**
 * Ask a question; the answer is the value of the button that was pressed, or nothing.
 * @param {string} question
 * @param {[value: string, text: string][]} answers
 */
export function answerTo(question, ...answers) {
  byId("question-text").textContent = question;
  const buttons = answers.map(([value, text]) => build("button", { class: "grave", value }, text));
  byId("question-answers").replaceChildren(...buttons, build("button", { value: "", autofocus: true }, "Cancel"));
  return closed("question");
}

/**
 * Run the work of a button once at a time, and show its refusal beside the button.
 * @param {Element} button
 * @param {HTMLElement} said
 * @param {() => unknown} work
 */
export async function busily(button, said, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await telling(said, work);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/**
 * Do some work, and show its refusal.
 * @param {HTMLElement} said
 * @param {() => unknown} work
 */
export async function telling(said, work) {
  try {
    await work();
  } catch (error) {
    say(said, error instanceof Error ? error.message : String(error), "bad");
    if (!(error instanceof Error && error.name === "Refusal")) throw error;
  }
}

/**
 * Build a button that does its work once at a time.
 * @param {string} text
 * @param {HTMLElement} said
 * @param {() => unknown} work
 * @param {Record<string, string | boolean>} attributes
 */
export function button(text, said, work, attributes = {}) {
  const click = (/** @type {{ currentTarget: Element }} */ { currentTarget }) => busily(currentTarget, said, work);
  return build("button", { type: "button", class: "small", ...attributes, click }, text);
}

/**
 * Let a button of the page do its work once at a time.
 * @param {string} id
 * @param {string} said
 * @param {() => unknown} work
 */
export function onClick(id, said, work) {
  byId(id).addEventListener("click", () => busily(byId(id), byId(said), work));
}

/**
 * Let a form of the page do its work once at a time.
 * @param {string} id
 * @param {string} said
 * @param {() => unknown} work
 */
export function onSubmit(id, said, work) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const button_ = byId(id).querySelector("button:not([type=button])");
    if (button_) busily(button_, byId(said), work);
  });
}

/* Moments. */

const DAY = 86_400_000; // milliseconds

/**
 * Return a moment as a clock shows it here, with the date unless it is of today.
 * @param {string | null} at
 */
export function clock(at) {
  if (at === null) return "never";
  const moment = new Date(at);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return moment.toDateString() === new Date().toDateString() ? time : `${moment.toLocaleDateString()} ${time}`;
}

/**
 * Return how long ago a moment is.
 * @param {string | null} at
 */
export function ago(at) {
  if (at === null) return "never";
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(at)) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds * 1000 < 2 * DAY) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round((seconds * 1000) / DAY)} days ago`;
}

/**
 * Build a moment: shown as on the clock here, told exactly to whoever points at it.
 * @param {string} at
 */
export const timeOf = (at) => build("time", { datetime: at, title: new Date(at).toLocaleString() }, clock(at));
