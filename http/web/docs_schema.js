// Draws JSON schemas of the document as nested lists.
import { element } from '/assets/ui.js';

const MAX_DEPTH = 6;

// What {"$ref": ...} names, or the value itself.
export function resolve(api, value) {
  if (!value?.$ref) return value;
  const keys = value.$ref.replace(/^#\//, '').split('/');
  return keys.reduce((node, key) => node?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], api);
}

// The parts of allOf in one: what a reader wants to see.
export function flatten(api, schema) {
  const whole = resolve(api, schema) ?? {};
  if (!whole.allOf) return whole;
  const parts = [...whole.allOf.map((part) => flatten(api, part)), { ...whole, allOf: undefined }];
  return parts.reduce((all, part) => ({
    ...all,
    ...part,
    properties: mergeProperties(api, all.properties, part.properties),
    required: [...(all.required ?? []), ...(part.required ?? [])],
  }), {});
}

function mergeProperties(api, before = {}, after = {}) {
  const merged = { ...before };
  for (const [name, schema] of Object.entries(after)) {
    merged[name] = { ...resolve(api, merged[name]), ...resolve(api, schema) };
  }
  return merged;
}

// "integer, 1 to 1000", "array of string", "one of high, normal, low".
export function typeWords(api, schema) {
  const whole = flatten(api, schema);
  if ('const' in whole) return JSON.stringify(whole.const);
  if (whole.enum) return `one of ${whole.enum.join(', ')}`;
  if (whole.anyOf && !whole.properties) {
    return whole.anyOf.map((part) => typeWords(api, part)).join(' or ');
  }
  if (whole.type === 'array') return `array of ${typeWords(api, whole.items ?? {})}`;
  const words = [whole.format === 'binary'
    ? 'a file, or the camera where there is one' : whole.type ?? 'anything'];
  if (whole.format && !['binary', 'int64'].includes(whole.format)) words.push(whole.format);
  const { minimum } = whole;
  // The largest number of 64 bits says nothing to a reader.
  const maximum = Number.isSafeInteger(whole.maximum ?? 0) ? whole.maximum : undefined;
  if (minimum !== undefined && maximum !== undefined) words.push(`${minimum} to ${maximum}`);
  else if (minimum !== undefined) words.push(`at least ${minimum}`);
  else if (maximum !== undefined) words.push(`at most ${maximum}`);
  if (whole.maxLength !== undefined) words.push(`at most ${whole.maxLength} characters`);
  return words.join(', ');
}

// The schema in words, with a list of its properties below.
export function schemaView(api, schema, depth = 0) {
  const whole = flatten(api, schema);
  const inner = whole.type === 'array' ? flatten(api, whole.items ?? {}) : whole;
  const properties = Object.entries(inner.properties ?? {});
  const required = new Set(inner.required ?? []);
  const rows = depth >= MAX_DEPTH ? [] : properties.map(([name, child]) => property(api, name,
    child, required.has(name), depth));
  return element('div', { class: 'schema' },
    depth === 0 ? element('p', { class: 'muted' }, typeWords(api, schema)) : null,
    depth === 0 && whole.description ? element('p', {}, whole.description) : null,
    rows.length > 0 ? element('ul', {}, ...rows) : null);
}

function property(api, name, schema, required, depth) {
  const whole = flatten(api, schema);
  const nested = whole.type === 'array' ? flatten(api, whole.items ?? {}) : whole;
  return element('li', {},
    element('code', {}, name), ` ${typeWords(api, schema)}${required ? '' : ', optional'}`,
    whole.description ? element('span', { class: 'muted' }, ` ${whole.description}`) : null,
    nested.properties ? schemaView(api, nested, depth + 1) : null);
}

// A value to begin with in a JSON body: what is required, and nothing else.
export function skeleton(api, schema, depth = 0) {
  const whole = flatten(api, schema);
  if ('const' in whole) return whole.const;
  if (whole.enum) return whole.enum[0];
  if (whole.type === 'array') {
    return depth < MAX_DEPTH ? [skeleton(api, whole.items ?? {}, depth + 1)] : [];
  }
  if (whole.type === 'integer' || whole.type === 'number') return Math.max(0, whole.minimum ?? 0);
  if (whole.type === 'boolean') return false;
  if (whole.type === 'string') return '';
  const keys = whole.required ?? whole.anyOf?.[0]?.required ?? [];
  return Object.fromEntries(keys.filter((key) => whole.properties?.[key])
    .map((key) => [key, skeleton(api, whole.properties[key], depth + 1)]));
}
