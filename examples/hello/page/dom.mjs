// Small helpers to build and name things on the page.

export const byId = id => document.getElementById(id);

/** Makes an element: text goes in as text, so what others typed cannot become markup. */
export function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

/** Writes only what changed: a rewritten text is read out again by screen readers and loses a selection. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setData(element, name, value) {
  const text = String(value);
  if (element.dataset[name] !== text) element.dataset[name] = text;
}

// Told apart by hue, and always by their number as well.
const HUES = [255, 150, 20, 310, 200, 110, 345, 280];

export function tint(element, place) {
  if (place === null || place === undefined) element.style.removeProperty('--hue');
  else element.style.setProperty('--hue', HUES[place % HUES.length]);
}

// The page remembers the dead as well, because their messages are still on it.
const known = new Map();

export function remember(process) {
  if (process) known.set(process.pid, { ...known.get(process.pid), ...process });
}

export function nameOf(process) {
  if (process.role === 'agent') return 'agent';
  const id = process.id ?? known.get(process.pid)?.id;
  return id ? `worker ${id}` : `pid ${process.pid}`;
}

export const placeOf = process => process.place ?? known.get(process.pid)?.place;

export function chip(process) {
  const element = make('span', {
    class: 'chip',
    'data-role': process.role,
    'data-pid': process.pid,
    title: `pid ${process.pid}`,
    text: nameOf(process),
  });
  if (process.role !== 'agent') tint(element, placeOf(process));
  return element;
}

export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

export const clock = at => new Date(at).toLocaleTimeString([], { hour12: false });

export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
