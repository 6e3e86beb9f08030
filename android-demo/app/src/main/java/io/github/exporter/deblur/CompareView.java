package io.github.exporter.deblur;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.graphics.Rect;
import android.util.AttributeSet;
import android.view.MotionEvent;
import android.view.View;

/** Two pictures of one scene over each other; a finger moves the line between before (left) and after (right). */
public final class CompareView extends View {
    private final Paint smooth = new Paint(Paint.FILTER_BITMAP_FLAG);
    private final Paint line = new Paint();
    private Bitmap before;
    private Bitmap after;
    private float share = 0.5f;

    public CompareView(Context context, AttributeSet attributes) {
        super(context, attributes);
        line.setColor(Color.WHITE);
        line.setStrokeWidth(2 * context.getResources().getDisplayMetrics().density);
    }

    /** @param restored null while it is being made */
    void show(Bitmap original, Bitmap restored) {
        before = original;
        after = restored;
        invalidate();
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        share = Math.min(1f, Math.max(0f, event.getX() / getWidth()));
        invalidate();
        if (event.getAction() == MotionEvent.ACTION_UP) {
            performClick();
        }
        return true;
    }

    @Override
    public boolean performClick() {
        return super.performClick();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        if (before == null) {
            return;
        }
        float scale = Math.min((float) getWidth() / before.getWidth(), (float) getHeight() / before.getHeight());
        int width = Math.round(before.getWidth() * scale);
        int height = Math.round(before.getHeight() * scale);
        int left = (getWidth() - width) / 2;
        int top = (getHeight() - height) / 2;
        Rect place = new Rect(left, top, left + width, top + height);
        canvas.drawBitmap(before, null, place, smooth);
        if (after != null) {
            float x = share * getWidth();
            canvas.save();
            canvas.clipRect(x, 0f, getWidth(), getHeight());
            canvas.drawBitmap(after, null, place, smooth);
            canvas.restore();
            canvas.drawLine(x, top, x, top + height, line);
        }
    }
}
