/** Amount cell: a figure, and a bar of how much it is of the largest, without a column of its own. */
import classes from './AmountCell.module.css'

interface Props {
  value: number | null | undefined
  largest: number
  show: (value: number) => string
}

export function AmountCell({ value, largest, show }: Props) {
  return (
    <td className={classes.amount}>
      {value != null && (
        <>
          {show(value)}
          <i style={{ transform: `scaleX(${largest > 0 ? value / largest : 0})` }} />
        </>
      )}
    </td>
  )
}
