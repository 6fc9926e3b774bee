/** A config to write, as a form or as JSON; checked by the worker before it is saved. */
import type { Config, ConfigInfos } from '../core/src/rest-client/operations.ts'
import { RestClientError } from '../core/src/rest-client/rest-client.ts'
import { ConfigForm } from './config-form.ts'
import { fill, make } from './dom.ts'
import { button, isOver, onSubmit, tell, tellError } from './notices.ts'
import type { Console } from './page.ts'

export interface EditorOptions {
  readonly config: Config
  readonly action: string
  /** Called with a config that the worker found nothing wrong with. */
  readonly save: (config: Record<string, string>) => Promise<void>
  /** What is asked for besides, above the buttons. */
  readonly besides?: HTMLElement
  /** Put into a config before it is checked and saved. */
  readonly settings?: () => Record<string, string>
}

export function configEditor({ client, signal }: Console, options: EditorOptions): HTMLFormElement {
  const { action, save, besides, settings = () => ({}) } = options
  const place = make('div', {}, make('p', { class: 'soft' }, 'Reading what there is to set…'))
  const problems = make('div', { class: 'error', role: 'alert' })
  const area = make('textarea', { rows: 24, class: 'code', spellcheck: 'false', 'aria-label': 'Config as JSON' })
  let form: ConfigForm | undefined
  let isJson = false

  const read = (): Record<string, string> => ({
    ...(isJson ? configOf(area.value) : (form?.config ?? {})),
    ...settings(),
  })
  const showJson = (config: Config): void => {
    isJson = true
    area.value = JSON.stringify(config, null, 2)
    fill(place, area)
    fill(toggle, 'Edit as a form')
  }
  const showForm = async (config: Config): Promise<void> => {
    const plugin = config['connector.class'] ?? ''
    const version = config['connector.plugin.version']
    const query = version === undefined ? {} : { version }
    const keys = await client.call('GET /connector-plugins/{plugin}/config', { path: { plugin }, query, signal })
    form = new ConfigForm(keys, config)
    isJson = false
    fill(place, form.element)
    fill(toggle, 'Edit as JSON')
    const shown = form
    // For the values that it recommends; who may not ask does without.
    void check(config, false).then(
      ({ configs }) => shown.recommend(configs.map(({ value }) => value)),
      () => undefined,
    )
  }
  const check = async (config: Config, deep: boolean): Promise<ConfigInfos> => {
    const path = { plugin: config['connector.class'] ?? '' }
    const query = deep ? { deep } : {}
    return client.call('PUT /connector-plugins/{plugin}/config/validate', { path, query, body: config, signal })
  }
  const show = (infos: ConfigInfos): void => {
    if (!isJson) form?.showErrors(infos)
    const wrong = infos.configs.flatMap(({ value }) => value.errors.map((text) => `${value.name}: ${text}`))
    fill(problems, isJson ? wrong.join('\n') : wrong.length === 0 ? '' : `${wrong.length} wrong: see above`)
  }
  const checkAndShow = async (deep: boolean): Promise<boolean> => {
    const infos = await check(read(), deep)
    show(infos)
    if (infos.error_count === 0 && infos.deep?.tried === false) tell(`Not tried: ${infos.deep.reason ?? ''}`, 'error')
    return infos.error_count === 0
  }

  const toggle = button('Edit as JSON', async () => {
    if (isJson) await showForm(configOf(area.value))
    else showJson(read())
    fill(problems)
  })
  const element = make(
    'form',
    { novalidate: true },
    place,
    besides,
    problems,
    make(
      'div',
      { class: 'actions' },
      make('button', { type: 'submit', class: 'primary' }, action),
      button('Check', async () => {
        if (await checkAndShow(false)) tell('Nothing is wrong with it')
      }),
      button(
        'Try',
        async () => {
          if (await checkAndShow(true)) tell('Nothing is wrong with it, and the connector has tried it')
        },
        { title: 'The connector tries it on the other system: logs in, looks for what it names' },
      ),
      toggle,
    ),
  )
  onSubmit(element, async () => {
    if (await checkAndShow(false)) await save(read())
  })
  showForm(options.config).catch((error: unknown) => {
    if (isOver(error)) return
    showJson(options.config)
    // A plugin that is not there has no form.
    if (!(error instanceof RestClientError && error.status === 404)) tellError(error)
  })
  return element
}

/** @throws Error that says what is wrong with the text */
function configOf(text: string): Record<string, string> {
  const config: unknown = JSON.parse(text)
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new Error('A config is an object: {"<setting>": "<value>", …}')
  }
  return Object.fromEntries(
    Object.entries(config).map(([name, value]: [string, unknown]) => {
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
        throw new Error(`${name} must be a text, a number or a boolean`)
      }
      return [name, String(value)]
    }),
  )
}
