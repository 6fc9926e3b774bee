/** A form made from what a plugin says of its settings. What is left empty is not set. */
import type { Config, ConfigInfos, ConfigKey } from '../core/src/rest-client/operations.ts'
import { fill, listen, make, options } from './dom.ts'
import { button } from './notices.ts'

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement

interface Setting {
  readonly name: string
  readonly element: HTMLElement
  readonly field: Field
  readonly error: HTMLElement
  readonly choices: HTMLDataListElement
}

/** Not asked for: they are chosen before. */
const chosen = ['name', 'connector.class']
const mask = '********'
let made = 0

export class ConfigForm {
  readonly element = make('div', { class: 'form' })
  readonly #settings = new Map<string, Setting>()
  readonly #others = make('div', {})
  readonly #othersErrors = make('div', { class: 'error' })
  readonly #given: Config

  constructor(keys: readonly ConfigKey[], config: Config) {
    this.#given = config
    const asked = keys.filter(({ name }) => !chosen.includes(name))
    const groups = Map.groupBy(asked, ({ group }) => group)
    // What is the connector's own has no group, and comes first; then groups where something is needed.
    const isNeeded = (of: readonly ConfigKey[]): number => (of.some(({ required }) => required) ? 0 : 1)
    const sorted = [...groups].sort(
      ([a, these], [b, those]) => Number(a !== null) - Number(b !== null) || isNeeded(these) - isNeeded(those),
    )
    for (const [group, its] of sorted) this.element.append(this.#group(group ?? 'Of the connector', its))
    this.element.append(this.#otherSettings(Object.entries(config).filter(([name]) => !this.#isAsked(name))))
  }

  /** As it stands in the form. */
  get config(): Record<string, string> {
    const config: Record<string, string> = {}
    for (const name of chosen) if (this.#given[name] !== undefined) config[name] = this.#given[name]
    for (const { name, field } of this.#settings.values()) {
      if (field.value !== '' || this.#given[name] === '') config[name] = field.value
    }
    for (const line of this.#others.children) {
      const [name, value] = line.querySelectorAll('input')
      if (name !== undefined && name.value.trim() !== '') config[name.value.trim()] = value?.value ?? ''
    }
    return config
  }

  /** Puts each error beside its setting, and the focus to the first. */
  showErrors({ configs }: ConfigInfos): void {
    this.recommend(configs.map(({ value }) => value))
    const elsewhere: string[] = []
    let first: Field | undefined
    const errorsOf = new Map(configs.map(({ value }) => [value.name, value.errors]))
    for (const { name, field, error } of this.#settings.values()) {
      const errors = errorsOf.get(name) ?? []
      errorsOf.delete(name)
      fill(error, errors.join('\n'))
      field.ariaInvalid = errors.length > 0 ? 'true' : null
      if (errors.length > 0) first ??= field
    }
    for (const [name, errors] of errorsOf) elsewhere.push(...errors.map((text) => `${name}: ${text}`))
    fill(this.#othersErrors, elsewhere.join('\n'))
    for (let around = first?.closest('details'); around != null; around = around.parentElement?.closest('details')) {
      around.open = true
    }
    first?.focus()
  }

  /** Values that the connector knows to be good. */
  recommend(values: readonly { readonly name: string; readonly recommended_values: readonly string[] }[]): void {
    for (const { name, recommended_values: good } of values) {
      const setting = this.#settings.get(name)
      if (setting !== undefined) fill(setting.choices, ...good.map((value) => make('option', { value })))
    }
  }

  #isAsked(name: string): boolean {
    return this.#settings.has(name) || chosen.includes(name)
  }

  #group(title: string, keys: readonly ConfigKey[]): HTMLElement {
    const ordered = [...keys].sort(
      (a, b) => Number(b.required) - Number(a.required) || a.order_in_group - b.order_in_group,
    )
    const isPlain = (key: ConfigKey): boolean =>
      key.required || key.importance === 'HIGH' || this.#given[key.name] !== undefined
    const element = make('fieldset', {}, make('legend', {}, title))
    element.append(...ordered.filter(isPlain).map((key) => this.#setting(key)))
    const more = ordered.filter((key) => !isPlain(key)).map((key) => this.#setting(key))
    if (more.length > 0) {
      element.append(make('details', {}, make('summary', {}, `${more.length} more`), ...more))
    }
    return element
  }

  #setting(key: ConfigKey): HTMLElement {
    const { name, required, documentation, default_value: preset, display_name: title } = key
    const id = `setting-${++made}`
    const help = make('small', { id: `${id}-help`, class: 'soft help' }, documentation)
    if (preset !== null && preset !== '') help.append(` Default: ${preset}.`)
    if (key.type === 'PASSWORD' && this.#given[name] === mask) help.append(' Left as it is, the stored secret stays.')
    const error = make('div', { id: `${id}-error`, class: 'error' })
    const choices = make('datalist', { id: `${id}-choices` })
    const field = fieldOf(key, this.#given[name])
    field.id = id
    field.setAttribute('aria-describedby', `${help.id} ${error.id}`)
    if (field instanceof HTMLInputElement && key.type !== 'PASSWORD') field.setAttribute('list', choices.id)
    if (required) field.ariaRequired = 'true'
    const label = make('label', { for: id }, make('code', {}, name))
    if (title !== name) label.append(' ', make('span', { class: 'soft' }, title))
    if (required) label.append(' ', make('span', { class: 'needed' }, 'needed'))
    const element = make('div', { class: 'setting' }, label, field, choices, error, help)
    this.#settings.set(name, { name, element, field, error, choices })
    return element
  }

  #otherSettings(given: readonly (readonly [string, string])[]): HTMLElement {
    const add = (name = '', value = ''): HTMLElement => {
      const nameField = make('input', { 'aria-label': 'Name of the setting', value: name })
      const valueField = make('input', { 'aria-label': `Value of ${name === '' ? 'the setting' : name}`, value })
      const line = make('div', { class: 'other' }, nameField, valueField)
      line.append(button('Remove', () => line.remove(), { 'aria-label': `Remove ${name}` }))
      this.#others.append(line)
      return line
    }
    for (const [name, value] of given) add(name, value)
    return make(
      'fieldset',
      {},
      make('legend', {}, 'Others'),
      make('p', { class: 'soft help' }, 'What the plugin does not list: settings of converters and clients, for one.'),
      this.#others,
      this.#othersErrors,
      button('Add a setting', () => add().querySelector('input')?.focus()),
    )
  }
}

function fieldOf({ type, default_value: preset }: ConfigKey, value: string | undefined): Field {
  if (type === 'BOOLEAN') {
    const select = make('select')
    const known = ['true', 'false']
    // A reference to a config provider, for one.
    if (value !== undefined && value !== '' && !known.includes(value)) known.push(value)
    options(select, [
      ['', preset === null ? 'not set' : `default: ${preset}`],
      ...known.map((each) => [each, each] as const),
    ])
    select.value = value ?? ''
    return select
  }
  // A line would lose the breaks of a text.
  if (value?.includes('\n') === true) {
    const area = make('textarea', { rows: 6, spellcheck: 'false' })
    area.value = value
    return area
  }
  const input = make('input', {
    type: type === 'PASSWORD' ? 'password' : 'text',
    autocomplete: 'off',
    spellcheck: 'false',
  })
  if (type === 'PASSWORD') input.autocomplete = 'new-password'
  if (['INT', 'LONG', 'SHORT', 'DOUBLE'].includes(type)) input.inputMode = 'decimal'
  if (preset !== null) input.placeholder = preset
  input.value = value ?? ''
  // The mask is all or nothing: half of it would be taken for a secret.
  if (value === mask) listen(input, 'focus', () => input.select())
  return input
}
