import type { Command } from 'commander'
import { asksWorker, examples, seconds, type RestCommandOptions } from './command-options.ts'
import { runOnWorker } from './rest-connection.ts'

/** `tidewire cluster …` */
export function clusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('workers that share their connectors')

  asksWorker(cluster.command('workers'))
    .description('the workers of the cluster, and how much each runs')
    .action(async (options: RestCommandOptions) => {
      const { listWorkers } = await import('./cluster.ts')
      await runOnWorker(options, (rest, out) => listWorkers(rest, out))
    })

  asksWorker(cluster.command('reencrypt'))
    .description('has all secrets in the config topic encrypted with the newest key')
    .addHelpText('after', examples('tidewire cluster reencrypt'))
    .action(async (options: RestCommandOptions) => {
      const { reencrypt } = await import('./cluster.ts')
      await runOnWorker(options, (rest, out) => reencrypt(rest, out))
    })

  asksWorker(cluster.command('drain'), { ownTimeout: true })
    .description('lets the worker at --url hand all its work to the others, before a planned stop')
    .option('--timeout <seconds>', 'longest time (default: 600)', seconds)
    .addHelpText('after', examples('tidewire cluster drain --url http://worker-1:8083'))
    .action(async ({ timeout = 600_000, ...options }: RestCommandOptions & { timeout?: number }) => {
      const { drainWorker } = await import('./cluster.ts')
      await runOnWorker(options, (rest, out) => drainWorker(rest, out, timeout))
    })
}
