'use strict';

// Completion for shells, written out from the table of verbs: pressing tab starts no node. Pure.

const { VERBS } = require('./verbs');

function longFlags(flags) {
  return Object.entries(flags).flatMap(([name, { other = [] }]) => [name, ...other]).map(name => `--${name}`);
}

/** The flags of all verbs that take the path of a file or folder. */
function fileFlags() {
  const names = Object.values(VERBS).flatMap(({ flags }) => Object.entries(flags).filter(([, flag]) => flag.file).map(([name]) => `--${name}`));
  return [...new Set(names)];
}

function wordsOf(verb) {
  if (verb === 'help') return Object.keys(VERBS);
  return VERBS[verb].words ?? (['restart', 'stack'].includes(verb) ? ['agent'] : []);
}

/** Verbs that may be told the folder of the app. */
function withFolder() {
  return Object.entries(VERBS).filter(([, { operands = [] }]) => operands.includes('[baseDir]')).map(([verb]) => verb);
}

function bash() {
  const cases = Object.entries(VERBS)
    .map(([verb, { flags }]) => `    ${verb}) words="${[...wordsOf(verb), ...longFlags(flags), '--help'].join(' ')}" ;;`);
  return `_egg_clutch() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(VERBS).join(' ')} --help --version" -- "$word"))
    return
  fi
  case "$before" in
    ${fileFlags().join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  case "\${COMP_WORDS[1]}" in
    ${withFolder().join('|')}) if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -d -- "$word")); fi ;;
  esac
}
complete -o filenames -F _egg_clutch egg-clutch
`;
}

/** Inside of single quotes, which zsh and fish write differently. */
function quoted(text, escape) {
  return `'${text.replaceAll("'", escape)}'`;
}

function zsh() {
  const words = text => text.replace(/[[\]:]/g, sign => `\\${sign}`);
  const commands = Object.entries(VERBS).map(([verb, { about }]) => `    ${quoted(`${verb}:${words(about)}`, "'\\''")}`);
  const cases = Object.entries(VERBS).map(([verb, { flags }]) => {
    const rows = Object.entries(flags).flatMap(([name, { other = [], type, about, file }]) => [name, ...other].map(long => {
      const value = type === 'string' ? `=:value:${file ? '_files' : ''}` : '';
      return quoted(`--${long}${value && '='}[${words(about)}]${value.slice(1)}`, "'\\''");
    }));
    const operands = (VERBS[verb].operands ?? []).map((name, at) => {
      if (name === '[baseDir]') return `'${at + 1}:folder:_files -/'`;
      return `'${at + 1}:${name.replace(/[[\]]/g, '')}:${wordsOf(verb).length ? `(${wordsOf(verb).join(' ')})` : ''}'`;
    });
    return `    ${verb}) _arguments ${[...operands, ...rows, "'--help[what it does]'"].join(' ')} ;;`;
  });
  return `#compdef egg-clutch
_egg_clutch() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join('\n')}
  esac
}
compdef _egg_clutch egg-clutch
`;
}

function fish() {
  const lines = ['complete -c egg-clutch -f'];
  for (const [verb, { about, flags }] of Object.entries(VERBS)) {
    const after = `complete -c egg-clutch -n '__fish_seen_subcommand_from ${verb}'`;
    lines.push(`complete -c egg-clutch -n __fish_use_subcommand -a ${verb} -d ${quoted(about, "\\'")}`);
    for (const word of wordsOf(verb)) lines.push(`${after} -a ${word}`);
    if (withFolder().includes(verb)) lines.push(`${after} -a '(__fish_complete_directories)'`);
    for (const [name, { other = [], short, type, file, about: means }] of Object.entries(flags)) {
      const takes = type === 'string' ? (file ? ' -r -F' : ' -x') : '';
      for (const long of [name, ...other]) {
        lines.push(`${after} -l ${long}${short && long === name ? ` -s ${short}` : ''}${takes} -d ${quoted(means, "\\'")}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

module.exports = { SCRIPTS: { bash, zsh, fish } };
