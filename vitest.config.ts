import { defineConfig } from 'vitest/config'

const shared = {
  environment: 'node' as const,
  pool: 'forks' as const,
  // What is waited for comes when it comes: a limit says that it never does, and nothing about speed. A test's own is
  // longer than that of a wait in it, which says what was awaited.
  expect: { poll: { timeout: 30_000 } },
  testTimeout: 120_000,
  // The first to need Kafka fetches it.
  hookTimeout: 180_000,
}

const setupFiles = ['./test/support/timer-warnings.ts']

export default defineConfig({
  test: {
    // Much of what is tested waits: for a process to start, for a session to end. Also two cores have room for two.
    maxWorkers: 2,
    reporters: ['default', './scripts/closing-line.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: [
            'sdk/src/**/*.test.ts',
            'core/src/**/*.test.ts',
            'connectors/*/*.test.ts',
            'connectors/*/!(test)/**/*.test.ts',
            'scripts/**/*.test.ts',
            'console/*.test.ts',
          ],
        },
      },
      {
        // Several parts together, or a part with a real external system.
        test: {
          ...shared,
          name: 'integration',
          setupFiles,
          include: ['test/integration/**/*.test.ts', 'test/compat/**/*.test.ts', 'connectors/*/test/**/*.test.ts'],
        },
      },
      {
        // The whole platform as child processes, kills included.
        test: {
          ...shared,
          name: 'e2e',
          setupFiles,
          include: ['test/e2e/**/*.test.ts', 'test/crash/**/*.test.ts', 'test/cluster/**/*.test.ts'],
          testTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
