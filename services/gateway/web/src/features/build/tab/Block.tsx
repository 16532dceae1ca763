/** Block: a part of a tab under its heading. */
import type { ComponentProps } from 'react'
import { Section } from '@/shared/ui/Page'
import classes from './Block.module.css'

export function Block(props: Omit<ComponentProps<typeof Section>, 'className'>) {
  return <Section {...props} className={classes.block} />
}
