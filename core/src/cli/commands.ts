import { Argument, type Command } from 'commander'
import { clusterCommands } from './cluster-commands.ts'
import { examples } from './command-options.ts'
import { shells, type Shell } from './completion.ts'
import { connectorCommands } from './connector-commands.ts'
import { groupCommands } from './group-commands.ts'
import { pluginCommands } from './plugin-commands.ts'
import { topicCommands } from './topic-commands.ts'

/**
 * Declares the commands that ask a worker or the log. What they do is loaded only when it is called.
 * @throws CliError from the actions
 */
export function addCommands(program: Command): void {
  connectorCommands(program)
  pluginCommands(program)
  topicCommands(program)
  groupCommands(program)
  clusterCommands(program)

  const anew = program.command('new').description('begins something of your own')

  anew
    .command('connector')
    .description('a package with a connector that works, and a test that passes, to go on from')
    .argument('<name>', 'of the connector: small letters, digits and hyphens')
    .option('--sink', 'a sink, in place of a source')
    .option('--folder <folder>', 'where (default: ./<name>)')
    .addHelpText('after', examples('tidewire new connector weather', 'tidewire new connector webhook --sink'))
    .action(async (name: string, options: { sink?: true; folder?: string }) => {
      const { newPlugin } = await import('./new-plugin.ts')
      const lines = await newPlugin(name, { type: options.sink === true ? 'sink' : 'source', folder: options.folder })
      process.stdout.write(`${lines}\n`)
    })

  anew
    .command('transform')
    .description('a package with a transform that works, and a test that passes, to go on from')
    .argument('<name>', 'of the transform: small letters, digits and hyphens')
    .option('--folder <folder>', 'where (default: ./<name>)')
    .addHelpText('after', examples('tidewire new transform to-celsius'))
    .action(async (name: string, { folder }: { folder?: string }) => {
      const { newPlugin } = await import('./new-plugin.ts')
      process.stdout.write(`${await newPlugin(name, { type: 'transform', folder })}\n`)
    })

  program
    .command('completion')
    .description('prints what makes a shell complete commands, options, and names of connectors, topics and the like')
    .addArgument(new Argument('<shell>').choices([...shells]))
    .addHelpText(
      'after',
      examples(
        'tidewire completion bash > ~/.local/share/bash-completion/completions/tidewire',
        'tidewire completion zsh > ~/.zfunc/_tidewire',
        'tidewire completion fish > ~/.config/fish/completions/tidewire.fish',
      ),
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion.ts')
      process.stdout.write(completionScript(shell))
    })

  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const { complete } = await import('./completion.ts')
      const found = await complete(program, words)
      // Whoever did not answer in time is not waited for.
      process.stdout.write(found.map((each) => `${each}\n`).join(''), () => process.exit())
    })
}
