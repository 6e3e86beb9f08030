package io.github.exporter.deblur;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.graphics.Rect;
import android.os.Bundle;
import android.util.AttributeSet;
import android.view.KeyEvent;
import android.view.MotionEvent;
import android.view.View;
import android.view.accessibility.AccessibilityNodeInfo;

/**
 * Two pictures of one scene over each other; a finger moves the line between before (left) and after (right), and so do
 * arrow keys and TalkBack's gestures for scrolling.
 */
public final class CompareView extends View {
    private static final float STEP = 0.1f; // of the width, by keys and gestures

    private final Paint smooth = new Paint(Paint.FILTER_BITMAP_FLAG);
    private final Paint line = new Paint();
    private final Paint words = new Paint(Paint.ANTI_ALIAS_FLAG);
    private Bitmap before;
    private Bitmap after;
    private float share = 0.5f;

    public CompareView(Context context, AttributeSet attributes) {
        super(context, attributes);
        line.setColor(Color.WHITE);
        line.setStrokeWidth(2 * context.getResources().getDisplayMetrics().density);
        words.setColor(Color.WHITE);
        words.setTextSize(14 * context.getResources().getDisplayMetrics().scaledDensity);
        words.setShadowLayer(4, 0, 0, Color.BLACK);
        setFocusable(true);
        describe();
    }

    /** @param restored null while it is being made */
    void show(Bitmap original, Bitmap restored) {
        before = original;
        after = restored;
        moveTo(0.5f);
    }

    private void moveTo(float place) {
        share = Math.min(1f, Math.max(0f, place));
        describe();
        invalidate();
    }

    private void describe() {
        setContentDescription(before == null
                ? getResources().getString(R.string.compare_nothing)
                : after == null
                        ? getResources().getString(R.string.compare_before)
                        : getResources().getString(R.string.compare_both, Math.round(100 * share)));
    }

    @Override
    public void onInitializeAccessibilityNodeInfo(AccessibilityNodeInfo info) {
        super.onInitializeAccessibilityNodeInfo(info);
        if (after != null) {
            info.setScrollable(true);
            info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_FORWARD);
            info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_BACKWARD);
        }
    }

    @Override
    public boolean performAccessibilityAction(int action, Bundle arguments) {
        boolean forward = action == AccessibilityNodeInfo.ACTION_SCROLL_FORWARD;
        if (after != null && (forward || action == AccessibilityNodeInfo.ACTION_SCROLL_BACKWARD)) {
            moveTo(share + (forward ? STEP : -STEP));
            return true;
        }
        return super.performAccessibilityAction(action, arguments);
    }

    @Override
    public boolean onKeyDown(int key, KeyEvent event) {
        boolean right = key == KeyEvent.KEYCODE_DPAD_RIGHT;
        if (after != null && (right || key == KeyEvent.KEYCODE_DPAD_LEFT)) {
            moveTo(share + (right ? STEP : -STEP));
            return true;
        }
        return super.onKeyDown(key, event);
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        moveTo(event.getX() / getWidth());
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
            String nothing = getResources().getString(R.string.compare_nothing);
            canvas.drawText(nothing, (getWidth() - words.measureText(nothing)) / 2, getHeight() / 2f, words);
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
            float margin = words.getTextSize() / 2;
            float base = top + height - margin;
            String onTheLeft = getResources().getString(R.string.before);
            String onTheRight = getResources().getString(R.string.after);
            canvas.drawText(onTheLeft, left + margin, base, words);
            canvas.drawText(onTheRight, left + width - margin - words.measureText(onTheRight), base, words);
        }
    }
}
