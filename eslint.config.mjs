import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const projects = ['./tsconfig.json', './tsconfig.editor.json', './tsconfig.test.json'];
const nodeGlobals = {
  console: 'readonly',
  process: 'readonly',
  Buffer: 'readonly',
  setImmediate: 'readonly',
  setTimeout: 'readonly',
  setInterval: 'readonly',
};
const commonJsGlobals = { ...nodeGlobals, require: 'readonly', module: 'writable', __dirname: 'readonly' };

export default tseslint.config(
  {
    ignores: ['**/node_modules/', 'dist/', 'coverage/', '.node-red*/', 'test/interop/.peers/', 'test/interop/leshan/', 'test/e2e/.shots/'],
  },
  { files: ['**/*.mjs'], extends: [js.configs.recommended], languageOptions: { globals: nodeGlobals } },
  { files: ['**/*.cjs'], extends: [js.configs.recommended], languageOptions: { sourceType: 'commonjs', globals: commonJsGlobals } },
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, ...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: projects, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false }],
      // Numbers in messages are what they are; only objects and undefined make a bad text.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowRegExp: true }],
      // `while (true)` with a return inside is how the parsers read.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      // Indexes proven by the loop around them: noUncheckedIndexedAccess cannot see that.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Short arrow functions for their effect: () => void something() would only add noise.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests reach into answers they have just checked, and hand wrong types on purpose.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // They replace methods to watch them, and name the type they expect of a look-up.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
);
