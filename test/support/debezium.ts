/** The real Debezium, from Maven Central: what it makes of a database is what our connectors are compared with. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './kafka.ts'

const run = promisify(execFile)

export const DEBEZIUM_VERSION = '3.7.0.Final'
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy'

/** The newest of its sink that is there. */
export const DEBEZIUM_JDBC_VERSION = '3.6.0.Final'

/** A folder for `plugin.path` of a Kafka Connect worker: Debezium's own archive of its connector for PostgreSQL, or of its JDBC sink. Fetched once and kept. */
export async function debeziumPlugins(connector: 'postgres' | 'jdbc' = 'postgres'): Promise<string> {
  const version = connector === 'jdbc' ? DEBEZIUM_JDBC_VERSION : DEBEZIUM_VERSION
  const plugins = join(cacheFolder(), `debezium-${connector}-${version}`)
  if (existsSync(plugins)) return plugins
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), 'fetching-'))
  const artifact = `io.debezium:debezium-connector-${connector}:${version}:tar.gz:plugin`
  await run('mvn', ['-B', '-q', COPY_GOAL, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`], { cwd: work })
  const archive = join(work, `debezium-connector-${connector}-${version}-plugin.tar.gz`)
  await run('tar', ['-xzf', archive, '-C', work])
  await rm(archive)
  // Whoever else fetched it meanwhile was as good.
  await rename(work, plugins).catch(() => rm(work, { recursive: true, force: true }))
  return plugins
}
