/* States by project: a card for each mapped project, with a line for each of its types. */

/** @import { Field, Loaded, Mapping, Project, State } from "./shapes.js" */
import { ask, query, Refusal } from "./api.js";
import { build, byId, inputById, isEmpty, newId } from "./dom.js";

/** @type {Record<string, string>} */
const CATEGORIES = { InProgress: "In progress" };
const NOT_THERE = "not a state in Azure DevOps";
/** @type {["on_resolve" | "on_unresolve", "resolved" | "unresolved", string][]} */
const CHOICES = [
  ["on_resolve", "resolved", "When resolved, set"],
  ["on_unresolve", "unresolved", "When unresolved, set"],
];
// Unlike the others, it is written only if somebody has chosen it.
/** @type {["on_archive", "archived", string]} */
const ARCHIVE = ["on_archive", "archived", "When archived, set"];

/** @type {{ id: string, read: () => Mapping }[]} */
let cards = [];
/** @type {Field | undefined} */
let mapper;
let touch = () => {};

/**
 * Draw a card for each project that the document maps.
 * @param {Loaded} loaded
 */
export function drawMappings({ config, fields }) {
  cards = [];
  byId("mappings").replaceChildren();
  mapper = fields.find((field) => field.name === "status_mapping");
  const projects = new Map(projectsOf().map((project) => [project.id.toLowerCase(), project]));
  for (const [id, mapping] of Object.entries(config.status_mapping)) {
    const gone = { id, name: `${id} (no longer a project of this organization)`, types: {} };
    addMapping(projects.get(id) ?? gone, mapping);
  }
  offerProjects();
}

export const projectsOf = () => mapper?.projects ?? [];

/** Return what the cards say, without those that say nothing. */
export function readMappings() {
  return Object.fromEntries(
    cards.map(({ id, read }) => /** @type {const} */ ([id, read()])).filter(([, mapping]) => !isEmpty(mapping)),
  );
}

function offerProjects() {
  const taken = new Set(cards.map(({ id }) => id));
  const free = projectsOf().filter((project) => !taken.has(project.id.toLowerCase()));
  byId("project").replaceChildren(...free.map(({ id, name }) => build("option", { value: id }, name)));
  for (const id of ["project", "add-project"]) byId(id).toggleAttribute("disabled", free.length === 0);
}

/**
 * Return a project with its types and their states.
 * @param {string} id
 */
export async function projectWithTypes(id) {
  const { content } = await ask("GET", `/config${query({ project: id })}`);
  /** @type {Field} */
  const field = content.fields.find((/** @type {Field} */ each) => each.name === "status_mapping");
  const project = field.projects?.find((each) => each.id === id);
  if (!project) throw new Refusal(0, { detail: field.disabled_reason ?? "the project no longer exists" });
  if (!project.types) throw new Refusal(0, { detail: "its states cannot be read at the moment" });
  return project;
}

export async function addChosenProject() {
  const card = addMapping(await projectWithTypes(inputById("project").value), {});
  offerProjects();
  card.querySelector("select")?.focus();
}

/**
 * Draw the card of one project: its choice of states, then one choice for each type. Types of which nothing is
 * linked stand behind "More types".
 * @param {Project} project
 * @param {Mapping} mapping
 */
function addMapping(project, mapping) {
  const id = project.id.toLowerCase();
  const path = `status_mapping.${id}`;
  const types = project.types ?? {};
  const own = drawChoices(path, mapping, statesOf(Object.values(types).flat()), {
    usual: "by category",
    archive: "leave it as it is",
  });
  const names = [...new Set([...Object.keys(types), ...Object.keys(mapping.types ?? {})])];
  const special = names.map((name) =>
    drawType(`${path}.types.${name}`, name, mapping.types?.[name] ?? {}, types[name] ?? [], {
      project: own.read,
      category: project.by_category?.[name] ?? {},
    }),
  );
  const more = build(
    "details",
    { class: "more-types", hidden: true },
    build("summary", {}, "More types, of which nothing is linked"),
  );
  const card = build(
    "fieldset",
    {
      class: "card",
      "data-path": path,
      change: () => {
        for (const each of special) each.tell();
      },
    },
    build("legend", {}, project.types ? project.name : `${project.name} (its states cannot be read at the moment)`),
    ...own.elements,
    build("div", {}, ...special.map(({ element }) => element)),
    more,
    build(
      "div",
      { class: "row" },
      build(
        "button",
        {
          type: "button",
          class: "small",
          "aria-label": `Remove ${project.name}`,
          click: remove,
        },
        "Remove",
      ),
    ),
  );
  const entry = {
    id,
    read() {
      const chosen = special
        .map(({ name, read }) => /** @type {const} */ ([name, read()]))
        .filter(([, each]) => !isEmpty(each));
      return {
        ...kept(mapping, ["types"]),
        ...own.read(),
        ...(chosen.length && { types: Object.fromEntries(chosen) }),
      };
    },
  };
  function remove() {
    card.remove();
    cards = cards.filter((each) => each !== entry);
    touch();
    offerProjects();
    byId("states-title").focus();
  }
  cards.push(entry);
  byId("mappings").append(card);
  setAside(
    project,
    special.filter(({ name }) => !mapping.types?.[name]),
    more,
  );
  return card;
}

/**
 * Put the types aside of which nothing is linked.
 * @param {Project} project
 * @param {{ name: string, element: HTMLElement }[]} unmapped
 * @param {HTMLElement} more
 */
async function setAside(project, unmapped, more) {
  const { content } = await ask("GET", `/links${query({ project: project.id })}`, { isQuiet: true }).catch(() => ({
    content: null,
  }));
  if (content === null) return;
  const linked = new Set(content.links.map((/** @type {{ work_item_type: string }} */ link) => link.work_item_type));
  if (linked.size === 0 || content.continuation !== null) return;
  const aside = unmapped.filter(({ name, element }) => !linked.has(name) && !element.contains(document.activeElement));
  more.append(...aside.map(({ element }) => element));
  more.hidden = aside.length === 0;
}

/**
 * Return the keys of a mapping that have no control here, so that none is lost.
 * @param {Mapping} mapping
 * @param {string[]} others
 */
function kept(mapping, others = []) {
  const drawn = new Set(["on_resolve", "on_unresolve", "on_archive", "done_states", ...others]);
  return Object.fromEntries(Object.entries(mapping).filter(([key]) => !drawn.has(key)));
}

/**
 * @param {string} path
 * @param {string} name
 * @param {Mapping} mapping
 * @param {State[]} states
 * @param {{ project: () => Mapping, category: { resolved?: string | null, unresolved?: string | null } }} otherwise
 */
function drawType(path, name, mapping, states, otherwise) {
  const { elements, read } = drawChoices(path, mapping, statesOf(states), {
    usual: "as in the project",
    archive: "as in the project",
  });
  const summary = build("span", { class: "soft" });
  const known = new Set(states.map((state) => state.name));
  /** Say what would be written, and what says so. */
  function tell() {
    const [own, project] = [read(), otherwise.project()];
    const parts = CHOICES.map(([key, status]) => {
      const ofProject = project[key];
      if (own[key]) return `${status} → ${own[key]}`;
      if (ofProject && known.has(ofProject)) return `${status} → ${ofProject} (as in the project)`;
      return `${status} → ${otherwise.category[status] ?? "?"} (by category)`;
    });
    if (own.on_archive) parts.push(`archived → ${own.on_archive}`);
    else if (project.on_archive && known.has(project.on_archive))
      parts.push(`archived → ${project.on_archive} (as in the project)`);
    summary.textContent = parts.join(" · ");
  }
  const element = build(
    "details",
    { "data-path": path, "data-type": name, open: !isEmpty(mapping) },
    build("summary", {}, build("b", {}, name), " ", summary),
    ...elements,
  );
  tell();
  return { name, element, read: () => ({ ...kept(mapping), ...read() }), tell };
}

/**
 * Return each state once, with all its categories: two types may give one name different categories.
 * @param {State[]} states
 */
function statesOf(states) {
  /** @type {Map<string, Set<string>>} */
  const categories = new Map();
  for (const { name, category } of states) {
    categories.set(
      name,
      (categories.get(name) ?? new Set()).add(CATEGORIES[category ?? ""] ?? category ?? "unknown category"),
    );
  }
  return [...categories].map(([name, several]) => ({ name, category: [...several].join(" or ") }));
}

/**
 * @param {string} path
 * @param {Mapping} mapping
 * @param {{ name: string, category: string }[]} states
 * @param {{ usual: string, archive: string }} otherwise what is said where nothing is chosen
 */
function drawChoices(path, mapping, states, otherwise) {
  const known = new Set(states.map((state) => state.name));
  const gone = (/** @type {(string | undefined)[]} */ names) =>
    names.flatMap((name) => (name && !known.has(name) ? [{ name, category: NOT_THERE }] : []));
  const selects = [...CHOICES, ARCHIVE].map(([key, , label]) => {
    const id = newId();
    const options = [...states, ...gone([mapping[key]])].map(({ name, category }) =>
      build("option", { value: name, selected: name === mapping[key] }, `${name} (${category})`),
    );
    const select = build(
      "select",
      { id, "data-path": `${path}.${key}` },
      build("option", { value: "" }, key === "on_archive" ? otherwise.archive : otherwise.usual),
      ...options,
    );
    return { key, select, element: build("div", { class: "field" }, build("label", { for: id }, label), select) };
  });
  const done = mapping.done_states ?? [];
  const boxes = [...states, ...gone(done)].map(({ name }) =>
    build("input", { type: "checkbox", value: name, checked: done.includes(name) }),
  );
  const group = build(
    "fieldset",
    { class: "field", "data-path": `${path}.done_states` },
    build("legend", {}, "Also count as resolved"),
    build("div", { class: "many" }, ...boxes.map((box) => build("label", { class: "choice" }, box, box.value))),
  );
  return {
    elements: [build("div", { class: "pair" }, ...selects.map(({ element }) => element)), group],
    /** @returns {Mapping} */
    read() {
      const chosen = selects.filter(({ select }) => select.value).map(({ key, select }) => [key, select.value]);
      const more = boxes.filter((box) => box.checked).map((box) => box.value);
      return { ...Object.fromEntries(chosen), ...(more.length && { done_states: more }) };
    },
  };
}

/** @param {() => void} touched */
export function startMappings(touched) {
  touch = touched;
}
