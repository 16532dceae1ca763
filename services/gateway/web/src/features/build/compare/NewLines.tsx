/** New lines: what this build printed that no green build of its configuration did before it. */
import { Block } from '@/features/build/tab/Block'
import { BuildLink } from '@/shared/address/ShortLinks'
import { count } from '@/shared/format'
import { news as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { LogLine, LogLines } from '@/shared/ui/LogLines'
import type { Build, LogNews } from '@/shared/wire'
import classes from './CompareTab.module.css'
import { useLogNews } from './queries'

export function NewLines({ build }: { build: Build }) {
  const read = useLogNews(build)
  return (
    <div className={classes.news}>
      <Block title={text.title}>
        <Answer read={read}>{(found) => <Found build={build} news={found} />}</Answer>
      </Block>
    </div>
  )
}

function Found({ build, news }: { build: Build; news: LogNews }) {
  const { items, comparedTo = [], totalItems = 0, isWhole } = news
  if (comparedTo.length === 0) return <p className={layout.faint}>{text.noGreen}</p>
  return (
    <>
      <p className={layout.soft}>
        {text.found(count(totalItems))}{' '}
        {comparedTo.map((id) => (
          <span key={id}>
            <BuildLink id={id} />{' '}
          </span>
        ))}
        {isWhole === false && <span className={layout.warned}>{text.notWhole}</span>}
      </p>
      {items.length > 0 && (
        <LogLines label={text.title} testId="new-lines">
          {items.map((item) => (
            <LogLine
              key={item.line}
              buildId={build.id}
              number={item.line}
              line={item.text}
              note={item.count > 1 ? text.like(count(item.count - 1)) : undefined}
            />
          ))}
        </LogLines>
      )}
      {totalItems > items.length && <p className={layout.faint}>{text.more(count(totalItems - items.length))}</p>}
    </>
  )
}
