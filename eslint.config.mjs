import js from '@eslint/js';
import stylistic from '@stylistic/eslint-plugin';
import globals from 'globals';

export default [
  {
    ignores: ['.tmp/**', 'target/**', 'node_modules/**', 'binding.js', '**/*.d.ts', '**/logs/**', '**/run/**'],
  },
  js.configs.recommended,
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    plugins: { '@stylistic': stylistic },
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: 'commonjs',
      globals: globals.node,
    },
    rules: {
      'eqeqeq': ['error', 'smart'],
      'no-var': 'error',
      'prefer-const': 'error',
      'strict': ['error', 'global'],
      'no-unused-vars': ['error', { args: 'after-used', argsIgnorePattern: '^_', caughtErrors: 'none' }],
      'no-redeclare': ['error', { builtinGlobals: false }],
      'no-throw-literal': 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      '@stylistic/indent': ['error', 2, { SwitchCase: 1 }],
      '@stylistic/quotes': ['error', 'single', { avoidEscape: true }],
      '@stylistic/semi': ['error', 'always'],
      '@stylistic/eol-last': 'error',
      '@stylistic/no-trailing-spaces': 'error',
      '@stylistic/max-len': ['error', { code: 140, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }],
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { sourceType: 'module' },
    rules: { strict: 'off' },
  },
  {
    files: ['test/**/*.js'],
    languageOptions: { globals: globals.mocha },
    // A describe() callback is a table of contents, not a function to be read in one go.
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    files: ['__test__/**/*.js'],
    languageOptions: { globals: globals.jest },
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // Apps whose package.json says "type": "module".
    files: ['test/fixtures/apps/{egg4*,shop_egg4}/**/*.js', 'test/fixtures/frameworks/on_egg4/**/*.js'],
    languageOptions: { sourceType: 'module' },
    rules: { strict: 'off' },
  },
  {
    files: ['examples/*/page/**/*.mjs', 'src/control/page/*.js'],
    languageOptions: { globals: globals.browser },
    rules: { 'no-redeclare': ['error', { builtinGlobals: false }] },
  },
];
