/** Strings: every English word of the page, in one folder. */
export * from './build-tabs'
export * from './builds'
export * from './history'
export * from './operation'
export * from './shell'
export * from './tests'
