/** What the JSON API answers, as docs/api.md describes it. Read by the type checker only. */

export type Side = "ado" | "sentry";

export interface Link {
  issue_id: string;
  work_item_id: number;
  project_id: string;
  work_item_type: string;
  title: string;
  display_name: string;
  url: string | null;
  health: string;
  reason: string | null;
  detail: string | null;
  since: string | null;
  due: string | null;
  synced_at: string | null;
  sides: "agree" | "apart" | null;
  apart: { field: string; reason: string }[];
  differ: string[];
  issue: { short_id: string | null; title: string | null; url: string; status: string; assignee: string | null };
  work_item: { rev: number; state: string; status: string | null; assignee: string | null; reasons: string[] | null };
}

export interface LinkPage {
  links: Link[];
  continuation: string | null;
  unreadable?: string[];
}

export interface Entry {
  at: string;
  outcome: string;
  direction: "inbound" | "outbound" | null;
  field: string | null;
  from: string | null;
  to: string | null;
  rev: number | null;
  reason: string | null;
  told_by: string | null;
}

export interface Event {
  at: string;
  side: Side | null;
  kind: string;
  issue_id: string | null;
  work_item_id: number | null;
  outcome: string;
  reason: string | null;
  told_by: string | null;
  took: number | null;
}

export interface Problem {
  kind: string;
  side: Side | null;
  since: string | null;
  detail: string;
  cure: string;
}

export interface Hour {
  at: string;
  taken: number;
  nothing_to_do: number;
  not_linked: number;
  refused: number;
}

export interface Door {
  last_event: string | null;
  last_refused: string | null;
  hours: Hour[];
}

export interface Subscription {
  event: string;
  state: string;
  since: string | null;
}

export interface Status {
  organization: string;
  version: string;
  ado: Door & { subscriptions: Subscription[] };
  sentry: Door;
  reconciler: { last_run: string | null; next_run: string; untold: number };
  delay: { median: number | null; p95: number | null; longest: number | null };
  links: { total: number; settled: number; pending: number; attention: number; agree: number; apart: number };
  problems: Problem[];
}

export interface Hooks {
  subscriptions: Subscription[];
  problem: { kind: string; detail: string } | null;
  by_hand: string[];
  made?: number;
  removed?: number;
}

export interface State {
  name: string;
  category: string | null;
}

export interface Project {
  id: string;
  name: string;
  types: Record<string, State[]> | null;
  /** For each type what is written for each of Sentry's statuses where nobody has chosen a state. */
  by_category?: Record<string, { resolved: string | null; unresolved: string | null }> | null;
}

export interface Field {
  name: string;
  type: string;
  label: string;
  help: string;
  disabled: boolean;
  disabled_reason: string | null;
  default: unknown;
  projects?: Project[];
}

export interface Mapping {
  on_resolve?: string;
  on_unresolve?: string;
  on_archive?: string;
  done_states?: string[];
  types?: Record<string, Mapping>;
  [key: string]: unknown;
}

export type FieldValue = string | number | boolean;

/** What new work items of one type get. */
export interface Creation {
  fields?: Record<string, FieldValue>;
  area_path?: string;
  iteration_path?: string;
  tags?: string;
}

/** The document: the keys that have a control of their own here, and any other. */
export interface Config {
  issue_sync: boolean;
  status_mapping: Record<string, Mapping>;
  people: Record<string, string>;
  done_categories: string[];
  on_conflict: string;
  done_when: string;
  back_links: boolean;
  sync_comments_reverse: string;
  archive_reasons: string[];
  resolve_in: string;
  create: Record<string, Record<string, Creation>>;
  [key: string]: unknown;
}

/** The document as it was loaded; one that is not stored yet has no ETag. */
export interface Loaded {
  config: Config;
  fields: Field[];
  etag: string | null;
}

export interface Stored {
  config: Config;
  changed?: string[];
  warnings?: Record<string, string>;
}
