/* Rows of text fields that a person adds and removes: people, reasons, fields of new work items. */

import { build } from "./dom.js";

/**
 * @typedef {object} Row
 * @property {HTMLElement} element
 * @property {HTMLInputElement[]} inputs
 */

/**
 * Keep the rows of one list.
 * @param {object} list
 * @param {HTMLElement} list.inside holds the rows
 * @param {string} list.noun what a row is about
 * @param {Record<string, string>[]} list.inputs the attributes of each text field of a row; its label is one
 * @param {(first: string, place: number) => string} list.path what an error about a row would name
 * @param {() => void} list.removed is told when a row was removed, and puts the focus elsewhere
 */
export function rowsIn({ inside, noun, inputs: described, path, removed }) {
  /** @type {Row[]} */
  let rows = [];
  inside.replaceChildren();

  /** @param {string[]} values */
  function add(...values) {
    const inputs = described.map((attributes, place) =>
      build("input", {
        type: "text",
        autocomplete: "off",
        spellcheck: "false",
        placeholder: attributes["aria-label"] ?? "",
        value: values[place] ?? "",
        ...attributes,
      }),
    );
    const remove = () => {
      element.remove();
      rows = rows.filter((each) => each !== row);
      removed();
    };
    const button = build(
      "button",
      { type: "button", class: "small", "aria-label": `Remove ${noun}`, click: remove },
      "Remove",
    );
    const element = build("div", {}, build("div", { class: "row" }, ...inputs, button));
    const row = { element, inputs };
    rows.push(row);
    inside.append(element);
    return inputs;
  }

  /** Return what the rows say that are not empty, each marked with the path that an error would name. */
  function filled() {
    const said = rows
      .map(({ element, inputs }) => ({ element, values: inputs.map((input) => input.value.trim()) }))
      .filter(({ values }) => values.some(Boolean));
    for (const { element } of rows) delete element.dataset.path;
    for (const [place, { element, values }] of said.entries()) element.dataset.path = path(values[0] ?? "", place);
    return said;
  }

  const read = () => filled().map(({ values }) => values);

  /**
   * Return an error for each row that begins as an earlier one: of two equal keys the document keeps one.
   * @param {string} message
   */
  function repeated(message) {
    const seen = new Set();
    const again = filled().filter(({ values: [first = ""] }) => {
      const key = first.toLowerCase();
      return seen.size === seen.add(key).size;
    });
    return Object.fromEntries(again.map(({ element }) => [element.dataset.path ?? "", message]));
  }

  return { add, read, repeated };
}
