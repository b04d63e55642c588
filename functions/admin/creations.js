/* What new work items get, by project and type: a card for each project, with a part for each of its types. */

/** @import { Creation, FieldValue, Loaded, Project } from "./shapes.js" */
import { build, byId, inputById, isEmpty, newId } from "./dom.js";
import { projectsOf, projectWithTypes } from "./mappings.js";
import { rowsIn } from "./rows.js";

/** @typedef {{ name: string, read: () => Creation, errors: () => Record<string, string> }} Part */
/** @typedef {{ id: string, wasEmpty: boolean, parts: () => Part[] }} Card */
/** @type {["area_path" | "iteration_path" | "tags", string, string][]} */
const TEXTS = [
  ["area_path", "Area", "as Project\\Team\\Area"],
  ["iteration_path", "Iteration", "as Project\\Sprint 1"],
  ["tags", "Tags", "separated by semicolons"],
];

/** @type {Card[]} */
let cards = [];
let touch = () => {};

/**
 * Draw a card for each project for which the document has defaults.
 * @param {Loaded} loaded
 */
export function drawCreations({ config }) {
  cards = [];
  byId("creations").replaceChildren();
  for (const [id, types] of Object.entries(config.create)) {
    const gone = { id, name: `${id} (no longer a project of this organization)`, types: {} };
    addCard(projectsOf().find((project) => project.id.toLowerCase() === id) ?? gone, types, isEmpty(types));
  }
  offerProjects();
}

/** Return what the cards say; one that was added and holds no type says nothing. */
export function readCreations() {
  const said = cards.map(({ id, wasEmpty, parts }) => {
    const types = Object.fromEntries(parts().map(({ name, read }) => [name, read()]));
    return { id, types, isSaid: wasEmpty || !isEmpty(types) };
  });
  return Object.fromEntries(said.filter(({ isSaid }) => isSaid).map(({ id, types }) => [id, types]));
}

/** Return an error for each field that a type names twice. */
export const errorsOfCreations = () =>
  Object.fromEntries(cards.flatMap(({ parts }) => parts().flatMap(({ errors }) => Object.entries(errors()))));

function offerProjects() {
  const taken = new Set(cards.map(({ id }) => id));
  const free = projectsOf().filter((project) => !taken.has(project.id.toLowerCase()));
  byId("creation-project").replaceChildren(...free.map(({ id, name }) => build("option", { value: id }, name)));
  for (const id of ["creation-project", "add-creation"]) byId(id).toggleAttribute("disabled", free.length === 0);
}

export async function addChosenCreation() {
  const card = addCard(await projectWithTypes(inputById("creation-project").value), {}, false);
  offerProjects();
  card.querySelector("select")?.focus();
}

/**
 * @param {Project} project
 * @param {Record<string, Creation>} stored
 * @param {boolean} wasEmpty
 */
function addCard(project, stored, wasEmpty) {
  const path = `create.${project.id.toLowerCase()}`;
  /** @type {Part[]} */
  let parts = [];
  const choice = build("select", { "aria-label": `Type of ${project.name}` });
  const place = build("div");
  const adding = build("button", { type: "button", class: "small", click: addChosen }, "Add type");
  function offerTypes() {
    const taken = new Set(parts.map(({ name }) => name.toLowerCase()));
    const free = Object.keys(project.types ?? {}).filter((name) => !taken.has(name.toLowerCase()));
    choice.replaceChildren(...free.map((name) => build("option", { value: name }, name)));
    choice.disabled = adding.disabled = free.length === 0;
  }
  function addChosen() {
    const { element } = addPart(choice.value, {});
    touch();
    element.querySelector("input")?.focus();
  }
  /**
   * @param {string} name
   * @param {Creation} defaults
   */
  function addPart(name, defaults) {
    const part = drawPart(`${path}.${name}`, name, defaults, () => {
      part.element.remove();
      parts = parts.filter((each) => each !== part);
      offerTypes();
      touch();
      byId("creations-title").focus();
    });
    parts.push(part);
    place.append(part.element);
    offerTypes();
    return part;
  }
  for (const [name, defaults] of Object.entries(stored)) addPart(name, defaults);
  offerTypes();
  const card = build(
    "fieldset",
    { class: "card", "data-path": path },
    build("legend", {}, project.name),
    place,
    build("div", { class: "row" }, choice, adding),
  );
  cards.push({ id: project.id.toLowerCase(), wasEmpty, parts: () => parts });
  byId("creations").append(card);
  return card;
}

/**
 * Draw what new work items of one type get.
 * @param {string} path
 * @param {string} name
 * @param {Creation} defaults
 * @param {() => void} remove
 */
function drawPart(path, name, defaults, remove) {
  const inputs = TEXTS.map(([key, label, placeholder]) => {
    const id = newId();
    const value = String(defaults[key] ?? "");
    const input = build("input", {
      id,
      "data-path": `${path}.${key}`,
      autocomplete: "off",
      spellcheck: "false",
      placeholder,
      value,
    });
    return { key, input, element: build("div", { class: "field" }, build("label", { for: id }, label), input) };
  });
  const inside = build("div");
  const legend = build("legend", { tabindex: "-1" }, "Fields");
  const rows = rowsIn({
    inside,
    noun: "field",
    inputs: [{ "aria-label": "Reference name", list: "usual-fields" }, { "aria-label": "Value" }],
    path: (field) => `${path}.fields.${field}`,
    removed() {
      touch();
      legend.focus();
    },
  });
  const known = defaults.fields ?? {};
  for (const [field, value] of Object.entries(known)) rows.add(field, String(value));
  const add = () => rows.add()[0]?.focus();
  const element = build(
    "details",
    { "data-path": path, "data-type": name, open: true },
    build("summary", {}, build("b", {}, name)),
    build("div", { class: "pair" }, ...inputs.map((each) => each.element)),
    build(
      "fieldset",
      { class: "field", "data-path": `${path}.fields` },
      legend,
      inside,
      build(
        "div",
        { class: "row" },
        build("button", { type: "button", class: "small", click: add }, "Add field"),
        build(
          "button",
          { type: "button", class: "small", "aria-label": `Remove ${name}`, click: remove },
          "Remove type",
        ),
      ),
    ),
  );
  return {
    name,
    element,
    errors: () => rows.repeated("names a field a second time"),
    /** @returns {Creation} */
    read() {
      const texts = inputs.map(({ key, input }) => [key, input.value.trim()]).filter(([, text]) => text);
      const fields = rows.read().map(([field = "", text = ""]) => [field, typed(text, known[field])]);
      return { ...Object.fromEntries(texts), ...(fields.length && { fields: Object.fromEntries(fields) }) };
    },
  };
}

/**
 * Return a value as the document has it: a text, which Azure DevOps takes for any type, or of the type it had.
 * @param {string} text
 * @param {FieldValue | undefined} before
 */
function typed(text, before) {
  if (typeof before === "number" && text !== "" && Number.isFinite(Number(text))) return Number(text);
  if (typeof before === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  return text;
}

/** @param {() => void} touched */
export function startCreations(touched) {
  touch = touched;
}
