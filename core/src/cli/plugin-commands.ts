import type { Command } from 'commander'
import { asksWorker, examples, type RestCommandOptions } from './command-options.ts'
import { runOnWorker } from './rest-connection.ts'

/** `tidewire plugin …` */
export function pluginCommands(program: Command): void {
  const plugin = program.command('plugin').description('the kinds of connectors that a worker has')

  asksWorker(plugin.command('list'))
    .alias('ls')
    .description('connectors that a worker can run, and what could not be loaded')
    .option('--all', 'converters, transforms and predicates too')
    .action(async (options: RestCommandOptions & { all?: true }) => {
      const { listPlugins } = await import('./plugins.ts')
      await runOnWorker(options, (rest, out) => listPlugins(rest, out, options.all === true))
    })

  asksWorker(plugin.command('describe'))
    .description('the settings of a plugin')
    .argument('<plugin>', 'short name or class')
    .option('--all', 'with the settings that every connector has')
    .option('--plugin-version <range>', 'of several versions the one meant')
    .addHelpText('after', examples('tidewire plugin describe file-source', "tidewire plugin describe 'Cast$Value'"))
    .action(async (name: string, options: RestCommandOptions & { all?: true; pluginVersion?: string }) => {
      const { describePlugin } = await import('./plugins.ts')
      const { pluginVersion: version, all } = options
      await runOnWorker(options, (rest, out) => describePlugin(rest, out, name, { version, own: all !== true }))
    })
}
