import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { TestCluster, TestWorkerProcess } from './test-cluster.ts'

const run = promisify(execFile)

/** The worker that the newest assignment names as its leader; undefined where it is none of those that take part. */
export async function leaderOf({ log, groupId, present }: TestCluster): Promise<TestWorkerProcess | undefined> {
  const { stdout } = await run(
    'kcat',
    [
      ...['-b', log.address, '-C', '-t', 'connect-assignments', '-o', 'beginning', '-e', '-q'],
      ...['-X', 'isolation.level=read_committed', '-f', '%k %s\n'],
    ],
    { timeout: 60_000, maxBuffer: 256 * 1024 * 1024 },
  )
  const prefix = `assignment-${groupId} `
  const newest = stdout.split('\n').findLast((line) => line.startsWith(prefix))
  if (newest === undefined) return undefined
  const { leader } = JSON.parse(newest.slice(prefix.length)) as { leader: string }
  return present.find(({ id }) => id === leader)
}
