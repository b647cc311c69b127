'use strict';
// A real terminal for a program: tmux, on a server of its own. What is on the screen is asked for again and again, as nobody tells.

const { execFileSync } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { MARKER, RUN } = require('./process_tree');
const { systemTool } = require('./system_tool');
const { until } = require('./waiting');

const TYPES = { LANG: 'C.UTF-8', TERM: 'xterm-256color' };

class TmuxScreen {
  #server = `egg-clutch-${randomUUID()}`;

  constructor(argv, { cwd, env = {}, columns, rows }) {
    // Nothing of this process' own terminal: tmux would take its size, and a session in a session is refused.
    const clean = { PATH: process.env.PATH, HOME: '/nonexistent', [MARKER]: `${RUN}.tmux.`, ...TYPES, ...env };
    // The shell stays when the program ends, and says how.
    const command = ['sh', '-c', '"$@"; echo "ended with $?"; exec cat', 'sh', ...argv];
    this.#tmux(['-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', cwd, ...command], clean);
  }

  #tmux(args, env) {
    return execFileSync('tmux', ['-u', '-L', this.#server, ...args], { encoding: 'utf8', env });
  }

  /** The screen as text; `painted`: with the escape sequences of its colours. */
  text({ painted = false } = {}) {
    return this.#tmux(['capture-pane', '-p', ...(painted ? ['-e'] : [])]);
  }

  /** Resolves to the screen once `pattern` (RegExp or text) is on it. */
  async shows(pattern) {
    let last = '';
    return until(() => {
      last = this.text();
      return (typeof pattern === 'string' ? last.includes(pattern) : pattern.test(last)) && last;
    }, pattern).catch(error => { throw new Error(`${error.message}\n${last}`); });
  }

  /** Keys by their names in tmux: 'Down', 'C-c', 'r'. */
  press(...keys) {
    this.#tmux(['send-keys', ...keys]);
  }

  resize(columns, rows) {
    this.#tmux(['resize-window', '-x', String(columns), '-y', String(rows)]);
  }

  /** Whether the program has the alternate screen. */
  hasAlternateScreen() {
    return this.#tmux(['display-message', '-p', '#{alternate_on} #{cursor_flag}']).trim() === '1 0';
  }

  pid() {
    return Number(this.#tmux(['display-message', '-p', '#{pane_pid}']).trim());
  }

  end() {
    this.#tmux(['kill-server']);
  }
}

/** Runs `argv` in a terminal of this size; settings: `cwd`, `env`, `columns`, `rows`. Whoever opens it ends it. */
function openScreen(argv, { columns = 100, rows = 30, ...settings }) {
  return new TmuxScreen(argv, { columns, rows, ...settings });
}

/** False where there is no tmux and nobody insists on it. */
function hasTerminal() {
  return systemTool('tmux', ['-V']) !== null;
}

module.exports = { openScreen, hasTerminal };
