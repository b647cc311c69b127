// Sends notes by the messenger's methods and shows who heard them, newest first.

import { byId, chip, make, nameOf, setText } from './dom.mjs';
import { flash } from './processes.mjs';

const SHOWN = 20;
const list = byId('notes');
const notice = byId('notice');
const items = new Map(); // id → { item, heard: pids, chips }

/** @param {boolean} past true for notes that were sent before this page looked */
export function drawNote(note, past = false) {
  const entry = items.get(note.id) || add(note);
  if (!entry) return;
  for (const receipt of note.receipts) {
    // Another worker may tell the same story again after a reconnect.
    if (entry.heard.has(receipt.pid)) continue;
    entry.heard.add(receipt.pid);
    const mark = chip(receipt);
    if (receipt.once) mark.append(' ', make('span', { class: 'once', text: 'once' }));
    entry.chips.append(mark);
    if (!past) flash(receipt.pid);
  }
  entry.item.dataset.heard = entry.heard.size;
  setText(entry.label, entry.heard.size > 0 ? 'heard by' : 'nobody has heard it');
}

function add(note) {
  const label = make('span', { class: 'label' });
  const chips = make('span', { class: 'chips' });
  const target = note.method === 'sendTo' ? [' → ', make('span', { text: nameOf({ pid: note.pid }) })] : [];
  const item = make('li', { 'data-note': note.id, 'data-method': note.method, 'data-from': note.from.pid },
    make('p', {}, chip(note.from), ' ', make('code', { text: note.method }), ...target, ' ', make('q', { text: note.text })),
    make('p', { class: 'heard' }, label, ' ', chips));
  const entry = { item, label, chips, heard: new Set(), at: note.at };
  const older = [...items.values()].filter(other => other.at <= note.at).sort((a, b) => b.at - a.at)[0];
  list.insertBefore(item, older ? older.item : null);
  items.set(note.id, entry);
  byId('notes-empty').hidden = true;
  if (items.size > SHOWN) {
    const [id, oldest] = [...items].sort(([, a], [, b]) => a.at - b.at)[0];
    oldest.item.remove();
    items.delete(id);
  }
  return entry;
}

/** Posts an action; what the server has to say against it is shown at the foot of the window. */
export async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    say(response.ok ? '' : await response.text());
  } catch {
    say('No worker answered. Is the cluster still running?');
  }
}

function say(text) {
  setText(notice, text.trim());
}

export function startSending() {
  byId('send').addEventListener('submit', event => {
    event.preventDefault();
    const method = (event.submitter || document.querySelector('#send button')).value;
    const from = byId('from').value;
    post('send', {
      method,
      text: byId('text').value,
      ...(from && { from: Number(from) }),
      ...(method === 'sendTo' && { pid: Number(byId('to').value) }),
    });
  });
}
